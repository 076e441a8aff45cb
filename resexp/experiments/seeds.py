"""Independent random streams derived from the config's seed, one per purpose."""

import hashlib

import torch


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Random generator for a purpose, independent of those for other purposes."""
    return torch.Generator(device).manual_seed(seed_for(seed, purpose))


def seed_for(seed: int, purpose: str) -> int:
    """The 56-bit seed of this generator."""
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:7])
