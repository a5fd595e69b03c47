"""The store on MariaDB and MySQL: what `corefast.store.database` promises, through asyncmy."""
