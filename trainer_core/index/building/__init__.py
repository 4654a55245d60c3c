"""Builds an index folder: in steps by memory, resumed, appended to, whole or absent."""
