"""The desktop application: keeps projects, starts trainer processes, shows what they report."""
