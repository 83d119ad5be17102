"""What these tests share: an account with a service to release."""

from tests.account import account

__all__ = ["account"]
