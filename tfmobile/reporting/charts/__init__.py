"""Plots as inline SVG: one function a plot, colours by CSS class only, each drawn wide and narrow."""
