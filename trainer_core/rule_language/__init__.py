"""A small language for one's own rules: what lines look like, and what follows from them.

    # Letters, a digit that says what to do with them, and the result.
    letter = "a".."f"
    let word = letter * 4..8
    line "copied"       = word "1" => word ";"
    line "backwards" :2 = word "2" => reverse(word) ";"
    line "line before"  = word "3" => first(before.word, 3) ";"

Each statement stands on a line of its own, or goes on in lines that begin with white space; `#`
begins a comment.

- `NAME = ...` names a pattern, which is drawn anew wherever the name stands.
- `let NAME = ...` is drawn once in each line, so that what follows can come back to it;
  `before.NAME` is what it was in the line before, `before` that whole line. Nothing of either is
  there in the first line, nor of a `let` that the line before did not use.
- `line "GROUP" = ...` is a line; of several, one is drawn. Behind `=>` stands the answer, which has
  to follow from what is there already; answers are scored, told by their group.

What a pattern is made of: `"text"`; numbers `1..100` and characters `"a".."f"`, all alike likely;
`a | b : 2`, where `b` is twice as likely; `letter * 3` and `letter * 3..5`; parentheses;
`FUNCTION(...)` of `FUNCTIONS`. What stands side by side is joined.
"""

from trainer_core.rule_language.drawing import Rules, parse
from trainer_core.rule_language.examples import EXAMPLES, Example
from trainer_core.rule_language.figures import Figures, Line
from trainer_core.rule_language.functions import FUNCTIONS, Function
from trainer_core.rule_language.words import RuleError

__all__ = [
    "EXAMPLES",
    "FUNCTIONS",
    "Example",
    "Figures",
    "Function",
    "Line",
    "RuleError",
    "Rules",
    "parse",
]
