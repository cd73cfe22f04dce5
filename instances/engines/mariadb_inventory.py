"""What a MariaDB backup is counted by, and the witness that it must hold."""

from instances.engines.base import our_name, our_witness

# In a database of the administrator's, which no binding's user sees.
WITNESS_TABLE = (
    "CREATE DATABASE IF NOT EXISTS brokersite",
    "CREATE TABLE IF NOT EXISTS brokersite.witness"
    " (slot INT PRIMARY KEY, witness CHAR(32) NOT NULL) ENGINE=InnoDB",
)


def inventory_of(database: str, witness: str) -> tuple[str, ...]:
    """Statements for the network and for the image's own client alike."""
    return (
        *WITNESS_TABLE,
        "SELECT CONCAT('inventory databases ', COUNT(*))"
        " FROM information_schema.schemata WHERE schema_name NOT IN ('brokersite',"
        " 'information_schema', 'mysql', 'performance_schema', 'sys')",
        # Its length is only known of a table that the server could open.
        "SELECT CONCAT('inventory tables ', COUNT(data_length))"
        " FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
        f" AND table_schema = '{our_name(database)}'",
        "SELECT CONCAT('inventory witness ', COUNT(*)) FROM brokersite.witness"
        f" WHERE witness = '{our_witness(witness)}'",
    )
