"""The steps that bring a review store to the newest form. `ReviewStore` runs them when it opens one."""

from pathlib import Path

import sqlalchemy as sa

from medclassify.errors import ReviewError

HEAD = "0002"
"""The newest revision; a test compares it with the scripts."""
FIRST = "0001"
"""The form of version 0.1.0."""


def migrate(connection: sa.Connection, place: str) -> None:
    """Brings a store to the newest form, in the transaction of the connection; an empty database becomes a store.

    Args:
        connection: With the write lock.
        place: How messages name the store.

    Raises:
        ReviewError: The database is no review store, or one of a newer version.
    """
    found = _revision(connection, place)
    if found == HEAD:
        return
    # Alembic takes a moment to import, and only a store that is to be changed needs it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    if found == FIRST and not sa.inspect(connection).has_table("alembic_version"):
        command.stamp(config, FIRST)
    command.upgrade(config, HEAD)


def _revision(connection: sa.Connection, place: str) -> str | None:
    """The form a store has; None for an empty database."""
    sqlite = connection.dialect.name == "sqlite"
    # Not by sa.inspect, which takes a moment with each opening.
    listing = (
        "SELECT name FROM sqlite_master" if sqlite else "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    )
    tables = set(connection.exec_driver_sql(listing).scalars())
    if "alembic_version" in tables and "events" in tables:
        found = str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())
        if found > HEAD:
            raise ReviewError(
                f"{place}: made by a newer medclassify (form {found}, and this one knows {HEAD}). Upgrade medclassify."
            )
        return found
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one() if sqlite else 0
    if version == 1 and "decisions" in tables:
        return FIRST
    if version or tables:
        raise ReviewError(
            f"{place}: not a review store ({len(tables)} tables or other objects, version {version}). "
            "Name another file, or an empty database."
        )
    return None
