"""Where text comes from: files and datasets of every kind, as documents read one by one."""
