"""Jobs as the studio sees them: started, followed, and folded into series and events."""
