"""Answers from the index, with the text behind its tokens.

`lookup.look_up`, `duplicates.duplicates_in`, `contamination.contamination_of` and
`value.value_on_held_out` each give the plain values that their verb prints with `--json`.
"""
