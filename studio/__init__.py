"""The desktop application: keeps projects, starts trainer_core jobs, shows what they report."""
