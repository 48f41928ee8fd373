"""Nearhop's control plane: it decides what runs where and where clients go; it carries no client traffic itself."""
