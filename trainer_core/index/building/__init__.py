"""Builds an index folder: in steps by memory, resumed after an end, appended to, whole or absent."""
