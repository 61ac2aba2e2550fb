/// YAML files as trees, with the line of each value for messages.
///
/// libyaml turns the text into events. Anchors, aliases, tags and further documents are errors, so
/// that no file expands to more than its own size. A file has at most 1 MiB and 16 levels.
#ifndef CELI_MUJOCO_DOCUMENT_H
#define CELI_MUJOCO_DOCUMENT_H
#include <celsius/field.h>

typedef enum CeliNodeKind { CELI_SCALAR, CELI_LIST, CELI_MAPPING } CeliNodeKind;

/// A value of the file. Its members are a linked list.
typedef struct CeliNode {
  CeliNodeKind kind;
  int line;                ///< from 1
  int index;               ///< place among the parent's members, from 0
  char *key;               ///< in a mapping; NULL: an entry of a list, or the root
  char *text;              ///< of a scalar; "" where the value is missing
  int n;                   ///< members
  struct CeliNode *first;  ///< first member; NULL: none
  struct CeliNode *next;   ///< next member of the parent
  struct CeliNode *parent; ///< NULL: the root
  struct CeliNode *older;  ///< all nodes of the document, to free them
} CeliNode;

typedef struct CeliDocument {
  char path[CEL_PATH_MAX];
  CeliNode *root;   ///< a mapping
  CeliNode *newest; ///< all nodes
} CeliDocument;

/// Reads a file. Free it with celi_document_free, after an error too.
/// Errors: CEL_E_IO, CEL_E_FORMAT (with line and column), CEL_E_MEMORY, CEL_E_NAME (a key that
/// appears twice), CEL_E_RANGE (size).
CelStatus celi_document_read(CeliDocument *doc, const char *path) CEL_WARN_UNUSED;
void celi_document_free(CeliDocument *doc);

/// Fails with a message that begins with "FILE: line N: KEY.KEY: ".
CelStatus celi_fail_at(const CeliDocument *doc, const CeliNode *node, CelStatus status,
                       const char *format, ...) CEL_PRINTF(4, 5);
/// Puts "FILE: line N: KEY.KEY: " in front of the message of `status`.
CelStatus celi_fail_in_at(const CeliDocument *doc, const CeliNode *node, CelStatus status);

/// The member of a mapping with this key, or NULL. Takes NULL.
const CeliNode *celi_member(const CeliNode *mapping, const char *key);
/// Checks the kind of a value. what: "a mapping of names to formulas", for the message.
CelStatus celi_need_kind(const CeliDocument *doc, const CeliNode *node, CeliNodeKind kind,
                         const char *what) CEL_WARN_UNUSED;
/// Sets the fields of a mapping by a field table. `others`: further keys that the caller reads,
/// separated by blanks. Fills the config with the defaults first. node NULL: defaults only.
/// Errors: CEL_E_NAME (an unknown key; suggests the nearest), CEL_E_TYPE, CEL_E_RANGE.
CelStatus celi_read_fields(const CeliDocument *doc, const CeliNode *node, const CelField *table,
                           void *config, const char *others) CEL_WARN_UNUSED;
/// Reads a finite number.
CelStatus celi_read_number(const CeliDocument *doc, const CeliNode *node,
                           double *value) CEL_WARN_UNUSED;
/// Reads [low, high], or a number, which is both ends.
CelStatus celi_read_interval(const CeliDocument *doc, const CeliNode *node,
                             CelInterval *interval) CEL_WARN_UNUSED;

#endif
