/// Text: numbers to and from text in any locale, growing text, UTF-8, the nearest name.
#ifndef CELSIUS_BASE_TEXT_H
#define CELSIUS_BASE_TEXT_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CELI_NUMBER_MAX 32 ///< room for any number as text, with its zero

/// What a parser of numbers says.
typedef enum CeliNumber {
  CELI_NUMBER_OK,
  CELI_NUMBER_JUNK,   ///< not a number, or something after it
  CELI_NUMBER_LARGE,  ///< a number that its type cannot hold
  CELI_NUMBER_BROKEN, ///< a number, but not a whole one
} CeliNumber;

/// The shortest decimal text that reads back to the same bits: "0.0003", "1e-5", "inf", "nan".
/// Returns `text`. The same in any locale.
const char *celi_double_text(char text[CELI_NUMBER_MAX], double value);
/// The plural ending of a noun after a count: "" for 1, else "s".
static inline const char *celi_s(int64_t n) {
  return n == 1 ? "" : "s";
}
/// A byte count for people: "512 bytes", "29.8 MiB". Returns `text`.
const char *celi_bytes_text(char text[CELI_NUMBER_MAX], size_t bytes);

/// The whole text as a decimal number: "3", "-.5", "1e-3", and "inf", "+inf", "-inf", "nan" in any
/// case. Refused: blanks, "0x10", "007", "1_000", a decimal comma. A value beyond the largest
/// double is CELI_NUMBER_LARGE; one below the smallest becomes 0. The same in any locale.
CeliNumber celi_parse_double(const char *text, double *out);
/// Whole decimal numbers; "1e6" and "2.5e3" are whole and accepted.
CeliNumber celi_parse_i64(const char *text, int64_t *out);
CeliNumber celi_parse_u64(const char *text, uint64_t *out);

/// True when the n bytes are UTF-8 without surrogates or overlong forms.
bool celi_utf8_valid(const char *text, size_t n);
/// True when the text is UTF-8 without control characters (C0, DEL, C1).
bool celi_text_plain(const char *text);
/// Compares names as flags do: '-' and '_' are alike.
bool celi_name_equal(const char *a, const char *b);

/// Changes of one letter (insert, delete, replace, swap neighbours) from a to b; case, '-' and '_'
/// do not count. Names longer than 127 bytes compare by their first 127.
size_t celi_edit_distance(const char *a, const char *b);
/// A search for the name nearest to `wanted`: set `wanted`, try every candidate, read `best` (NULL
/// when none was near). A candidate that begins with `wanted` is near.
typedef struct CeliNearest {
  const char *wanted;
  const char *best;
  size_t distance;
} CeliNearest;
/// True when `candidate` became the best; best points to it.
bool celi_nearest_try(CeliNearest *nearest, const char *candidate);

/// Text that grows. All zero is empty; failure sticks and celi_text_status tells of it.
typedef struct CeliText {
  char *data; ///< ends with a zero; NULL while empty
  size_t size, capacity;
  bool failed;
} CeliText;
void celi_text_add(CeliText *text, const char *bytes, size_t n);
void celi_text_format(CeliText *text, const char *format, ...) CEL_PRINTF(2, 3);
/// Adds a JSON string with its quotes.
void celi_text_json(CeliText *text, const char *string);
/// CEL_OK, or CEL_E_MEMORY when an addition failed.
CelStatus celi_text_status(const CeliText *text) CEL_WARN_UNUSED;
void celi_text_free(CeliText *text);

#endif
