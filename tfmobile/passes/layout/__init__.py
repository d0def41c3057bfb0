"""The order of axes: channels first to channels last, and transposes that undo each other."""
