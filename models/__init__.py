"""Compute: camera language, profiles, weights, the stages of one render, scores.

Knows diffusers, torch, peft, open_clip and pictures. Does not know Prefect, object stores, the environment or where a
picture goes: values in, values out.
"""
