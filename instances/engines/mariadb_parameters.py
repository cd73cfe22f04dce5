"""What an app developer may choose for a MariaDB database."""

from instances.engines import parameters as fields

CHARSETS = ["utf8mb4", "utf8mb3", "latin1", "ascii"]
COLLATIONS = [
    *("utf8mb4_unicode_520_ci", "utf8mb4_unicode_ci", "utf8mb4_general_ci"),
    *("utf8mb4_bin", "utf8mb4_german2_ci", "utf8mb4_swedish_ci", "utf8mb4_danish_ci"),
    *("utf8mb4_spanish_ci", "utf8mb4_polish_ci", "utf8mb4_czech_ci"),
    *("utf8mb3_unicode_ci", "utf8mb3_general_ci", "utf8mb3_bin"),
    *("latin1_swedish_ci", "latin1_german1_ci", "latin1_general_cs", "latin1_bin"),
    *("ascii_general_ci", "ascii_bin"),
]
# None that changes how the broker's own statements are read.
SQL_MODES = [
    *("STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "ERROR_FOR_DIVISION_BY_ZERO"),
    *("NO_ENGINE_SUBSTITUTION", "NO_ZERO_DATE", "NO_ZERO_IN_DATE"),
    *("NO_AUTO_VALUE_ON_ZERO", "NO_UNSIGNED_SUBTRACTION", "ONLY_FULL_GROUP_BY"),
    *("ALLOW_INVALID_DATES", "ANSI_QUOTES", "PIPES_AS_CONCAT"),
]
SCHEMA = fields.schema(
    "MariaDB",
    charset=fields.choice("Character set", "Of tables that do not name one.", CHARSETS),
    collation=fields.choice("Collation", "Of tables that do not name one.", COLLATIONS),
    max_connections=fields.number(
        "Connections", "For all bindings together.", lowest=10, highest=500
    ),
    sql_mode=fields.choices("SQL mode", "Of sessions that do not set one.", SQL_MODES),
)
