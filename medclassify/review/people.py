"""Who may do what."""

from medclassify.errors import NotAllowedError
from medclassify.records import Identity, Role
from medclassify.review.text import check_reader

NAMED = "named"
PASSWORD = "password"
OIDC = "oidc"


def named_reader(name: str, role: Role = Role.READER) -> Identity:
    """Someone who has only said a name, where there are no accounts; one role at a time, so that a blind reader stays blind.

    Raises:
        ReviewError: The name is blank, too long, or not text.
    """
    check_reader(name.strip())
    return Identity(name.strip(), frozenset({role}), NAMED)


def require_role(who: Identity, *roles: Role, to: str) -> None:
    """Refuses somebody who has none of the roles.

    Raises:
        NotAllowedError: They have none.
    """
    if not who.roles & set(roles):
        raise NotAllowedError(f"{who.name}: the role of {' or '.join(roles)} is needed to {to}. An admin can give it.")
