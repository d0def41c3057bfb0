"""The stages as steps of a workspace: look for the stored result, else call the stage and store what it gave.

Each function takes values and returns values; the only state is the Workspace. ``pipeline`` puts them in order.
"""
