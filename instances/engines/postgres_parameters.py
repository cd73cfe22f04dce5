"""What can be chosen of a PostgreSQL database."""

from instances.engines import parameters as fields

LOCALES = [
    *("C.UTF-8", "en_US.UTF-8", "en_GB.UTF-8", "de_DE.UTF-8", "fr_FR.UTF-8"),
    *("es_ES.UTF-8", "it_IT.UTF-8", "nl_NL.UTF-8", "pl_PL.UTF-8", "pt_BR.UTF-8"),
    "sv_SE.UTF-8",
]
# All of them trusted: they give their owner no more than its database.
EXTENSIONS = [
    *("btree_gin", "btree_gist", "citext", "cube", "dict_int", "fuzzystrmatch"),
    *("hstore", "intarray", "isn", "lo", "ltree", "pg_trgm", "pgcrypto", "seg"),
    *("tablefunc", "tcn", "tsm_system_rows", "tsm_system_time", "unaccent"),
    "uuid-ossp",
]
CHANGEABLE = {
    "extensions": fields.choices(
        "Extensions", "They are created; none is ever dropped.", EXTENSIONS
    ),
    "max_connections": fields.number(
        "Connections",
        "For all bindings together; a change restarts the server.",
        lowest=10,
        highest=300,
    ),
}
CREATE_SCHEMA = fields.schema(
    "PostgreSQL",
    locale=fields.choice("Locale", "How text is sorted and compared.", LOCALES),
    **CHANGEABLE,
)
UPDATE_SCHEMA = fields.schema("PostgreSQL", **CHANGEABLE)
