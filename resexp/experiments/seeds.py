"""One seed of a config, and from it a random generator for each purpose."""

import hashlib

import torch


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for one purpose, independent of those for others."""
    return torch.Generator(device).manual_seed(seed_for(seed, purpose))


def seed_for(seed: int, purpose: str) -> int:
    """The number behind that generator, of 56 bits."""
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:7])
