"""The pages of the studio; the window makes each one when it is first opened."""
