/// Text: conversion of numbers in any locale, growing text, UTF-8, nearest names.
#ifndef CELI_BASE_TEXT_H
#define CELI_BASE_TEXT_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CELI_NUMBER_MAX 32 ///< bytes for any number as text, with the terminating zero

/// Results of the number parsers.
typedef enum CeliNumber {
  CELI_NUMBER_OK,
  CELI_NUMBER_JUNK,   ///< not a number, or more text after it
  CELI_NUMBER_LARGE,  ///< too large for its type
  CELI_NUMBER_BROKEN, ///< a number with a fraction, where a whole number is needed
} CeliNumber;

/// Writes the shortest decimal text that reads back to the same bits: "0.0003", "1e-5", "inf",
/// "nan". It does not depend on the locale. Returns `text`.
const char *celi_double_text(char text[CELI_NUMBER_MAX], double value);
/// The plural ending of a noun after a count: "" for 1, else "s".
static inline const char *celi_s(int64_t n) {
  return n == 1 ? "" : "s";
}
/// Writes a number of bytes with a unit: "512 bytes", "29.8 MiB". Returns `text`.
const char *celi_bytes_text(char text[CELI_NUMBER_MAX], size_t bytes);

/// Parses the whole text as a decimal number: "3", "-.5", "1e-3", and "inf", "+inf", "-inf", "nan"
/// in any case. Blanks, "0x10", "007", "1_000" and decimal commas are not numbers. A value above
/// the largest double is CELI_NUMBER_LARGE; one below the smallest becomes 0. It does not depend on
/// the locale.
CeliNumber celi_parse_double(const char *text, double *out);
/// Parse whole decimal numbers, among them "1e6" and "2.5e3".
CeliNumber celi_parse_i64(const char *text, int64_t *out);
CeliNumber celi_parse_u64(const char *text, uint64_t *out);

/// Whether the n bytes are UTF-8 without surrogates and overlong forms.
bool celi_utf8_valid(const char *text, size_t n);
/// Whether the text is UTF-8 without control characters (C0, DEL, C1).
bool celi_text_plain(const char *text);
/// Whether two names are equal. '-' and '_' are equal, as in flags.
bool celi_name_equal(const char *a, const char *b);

/// The number of edits of one letter from a to b: insert, delete, replace, swap neighbors. Ignores
/// case and the difference of '-' and '_'. Compares at most the first 127 bytes.
size_t celi_edit_distance(const char *a, const char *b);
/// A search for the name nearest to `wanted`. Set `wanted`, try every candidate, then read `best`,
/// which is NULL if no candidate is near. A candidate that begins with `wanted` is near.
typedef struct CeliNearest {
  const char *wanted;
  const char *best;
  size_t distance;
} CeliNearest;
/// Tries a candidate. Returns true if it is the nearest so far; `best` then points to it.
bool celi_nearest_try(CeliNearest *nearest, const char *candidate);

/// Growing text. All zero is an empty text. After a failed addition all later ones fail too; check
/// with celi_text_status at the end.
typedef struct CeliText {
  char *data; ///< with a terminating zero; NULL while empty
  size_t size, capacity;
  bool failed;
} CeliText;
void celi_text_add(CeliText *text, const char *bytes, size_t n);
void celi_text_format(CeliText *text, const char *format, ...) CEL_PRINTF(2, 3);
/// Adds a JSON string with its quotes.
void celi_text_json(CeliText *text, const char *string);
/// CEL_OK, or CEL_E_MEMORY if an addition failed.
CelStatus celi_text_status(const CeliText *text) CEL_WARN_UNUSED;
void celi_text_free(CeliText *text);

#endif
