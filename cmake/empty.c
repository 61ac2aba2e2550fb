/// Placeholder source of a module that has no source file yet.
typedef int celi_empty;
