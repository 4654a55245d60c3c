"""What is done to documents before they count, each step counted; nearly equal documents."""
