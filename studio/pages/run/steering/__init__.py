"""What a person can have a run do otherwise: its plan, its way back, its end, its manners."""
