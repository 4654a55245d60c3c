"""The desktop application: keeps projects, starts trainer_core processes, shows what they report."""
