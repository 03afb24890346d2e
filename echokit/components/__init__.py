"""From a recipe's slots to working components.

`parts.make_parts` makes the components of one approach once, and they are handed on from there.
"""
