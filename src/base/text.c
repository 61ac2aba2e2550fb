/// Text: conversion of numbers in any locale, growing text, UTF-8, nearest names.
///
/// A program may use a locale with a decimal comma, which a library must not change. Conversions
/// here therefore set the calling thread to the "C" locale while they run.
#include "base/arguments.h"
#include "base/base.h"
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// ---- Numbers to text

// Writes `precision` digits of |value| without trailing zeros. *exponent: the power of ten of the
// first digit. Returns the number of digits.
static int digits_of(double value, int precision, char digits[20], int *exponent) {
  char text[40] = ""; // "d.ddde+dd"; the point is one byte in the C locale
  snprintf(text, sizeof text, "%.*e", precision - 1, fabs(value));
  int n = 0;
  const char *c = text;
  for (; *c != 'e'; c++)
    if (*c != '.') digits[n++] = *c;
  *exponent = (int)strtol(c + 1, NULL, 10);
  while (n > 1 && digits[n - 1] == '0') n--;
  return n;
}

// Writes the number d1.d2...dn times 10^exponent, without an exponent if that is short.
static void lay_out(char *out, bool negative, const char *digits, int n, int exponent) {
  char *o = out;
  if (negative) *o++ = '-';
  if (exponent < -5 || exponent > 15) {
    *o++ = digits[0];
    if (n > 1) *o++ = '.';
    for (int i = 1; i < n; i++) *o++ = digits[i];
    sprintf(o, "e%+d", exponent);
    return;
  }
  if (exponent < 0) {
    *o++ = '0';
    *o++ = '.';
  }
  for (int i = exponent; i < -1; i++) *o++ = '0';
  for (int i = 0; i < n || i <= exponent; i++) {
    if (i == exponent + 1 && exponent >= 0) *o++ = '.';
    *o++ = i < n ? digits[i] : '0';
  }
  *o = 0;
}

const char *celi_double_text(char text[CELI_NUMBER_MAX], double value) {
  if (isnan(value)) return strcpy(text, "nan");
  if (isinf(value)) return strcpy(text, value < 0 ? "-inf" : "inf");
  locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  locale_t old = c == (locale_t)0 ? (locale_t)0 : uselocale(c);
  // 15 digits are enough for most numbers. Subnormal numbers have fewer bits.
  const bool normal = fabs(value) >= DBL_MIN;
  for (int precision = normal ? 15 : 1; precision <= 17; precision++) {
    char digits[20] = "";
    int exponent, n = digits_of(value, precision, digits, &exponent);
    lay_out(text, signbit(value), digits, n, exponent);
    if (strtod(text, NULL) == value) break; // 17 digits are always enough
  }
  if (old != (locale_t)0) uselocale(old);
  if (c != (locale_t)0) freelocale(c);
  return text;
}

const char *celi_bytes_text(char text[CELI_NUMBER_MAX], size_t bytes) {
  static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) {
    snprintf(text, CELI_NUMBER_MAX, "%zu byte%s", bytes, celi_s((int64_t)bytes));
    return text;
  }
  int unit = 0;
  for (; unit < 5 && bytes >> (10 * (unit + 2)) != 0; unit++) {
  }
  size_t tenths = (size_t)((double)bytes / (double)((size_t)1 << (10 * (unit + 1))) * 10);
  snprintf(text, CELI_NUMBER_MAX, "%zu.%zu %s", tenths / 10, tenths % 10, units[unit]);
  return text;
}

// ---- Text to numbers

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The parts of a decimal number's text.
typedef struct Decimal {
  bool negative;
  const char *whole, *fraction; // digits
  size_t n_whole, n_fraction;
  int64_t exponent; // clipped to +-1e6
} Decimal;

// Scans [+-] digits [. digits] [e [+-] digits] with at least one digit before or after the point.
// Returns false for other text, and for leading zeros, because YAML 1.1 reads such numbers as
// octal.
static bool scan_decimal(const char *text, Decimal *d) {
  *d = (Decimal){0};
  d->negative = *text == '-';
  if (*text == '-' || *text == '+') text++;
  d->whole = text;
  while (is_digit(*text)) text++;
  d->n_whole = (size_t)(text - d->whole);
  if (d->n_whole > 1 && d->whole[0] == '0') return false;
  if (*text == '.') {
    d->fraction = ++text;
    while (is_digit(*text)) text++;
    d->n_fraction = (size_t)(text - d->fraction);
  }
  if (d->n_whole + d->n_fraction == 0) return false;
  if (*text == 'e' || *text == 'E') {
    text++;
    bool minus = *text == '-';
    if (*text == '-' || *text == '+') text++;
    if (!is_digit(*text)) return false;
    for (; is_digit(*text); text++)
      if (d->exponent < 1000000) d->exponent = d->exponent * 10 + (*text - '0');
    if (minus) d->exponent = -d->exponent;
  }
  return *text == 0;
}

CeliNumber celi_parse_double(const char *text, double *out) {
  Decimal d;
  if (!scan_decimal(text, &d)) {
    const char *word = text + (*text == '-' || *text == '+');
    if (strcasecmp(word, "inf") == 0)
      *out = *text == '-' ? -(double)INFINITY : (double)INFINITY;
    else if (strcasecmp(text, "nan") == 0)
      *out = (double)NAN;
    else
      return CELI_NUMBER_JUNK;
    return CELI_NUMBER_OK;
  }
  locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  locale_t old = c == (locale_t)0 ? (locale_t)0 : uselocale(c);
  double value = strtod(text, NULL);
  if (old != (locale_t)0) uselocale(old);
  if (c != (locale_t)0) freelocale(c);
  if (isinf(value)) return CELI_NUMBER_LARGE;
  *out = value;
  return CELI_NUMBER_OK;
}

// Parses |text| as a whole number. *negative: the sign.
static CeliNumber parse_whole(const char *text, bool *negative, uint64_t *out) {
  Decimal d;
  if (!scan_decimal(text, &d)) return CELI_NUMBER_JUNK;
  *negative = d.negative;
  int64_t n_whole = (int64_t)d.n_whole, n = n_whole + (int64_t)d.n_fraction;
  uint64_t value = 0;
  bool large = false;
  // Digit i has the weight 10^(n_whole - 1 - i + exponent).
  for (int64_t i = 0; i < n; i++) {
    char c = i < n_whole ? d.whole[i] : d.fraction[i - n_whole];
    if (n_whole - 1 - i + d.exponent < 0) {
      if (c != '0') return CELI_NUMBER_BROKEN;
      continue;
    }
    large |= __builtin_mul_overflow(value, 10, &value);
    large |= __builtin_add_overflow(value, (uint64_t)(c - '0'), &value);
  }
  if (value == 0 && !large) { // 0e999
    *out = 0;
    return CELI_NUMBER_OK;
  }
  for (int64_t i = n - n_whole; i < d.exponent && !large; i++)
    large = __builtin_mul_overflow(value, 10, &value);
  if (large) return CELI_NUMBER_LARGE;
  *out = value;
  return CELI_NUMBER_OK;
}

CeliNumber celi_parse_u64(const char *text, uint64_t *out) {
  bool negative;
  uint64_t value;
  CeliNumber result = parse_whole(text, &negative, &value);
  if (result != CELI_NUMBER_OK) return result;
  if (negative && value != 0) return CELI_NUMBER_LARGE;
  *out = value;
  return CELI_NUMBER_OK;
}

CeliNumber celi_parse_i64(const char *text, int64_t *out) {
  bool negative;
  uint64_t value;
  CeliNumber result = parse_whole(text, &negative, &value);
  if (result != CELI_NUMBER_OK) return result;
  if (value > (uint64_t)INT64_MAX + negative) return CELI_NUMBER_LARGE;
  *out = negative ? (int64_t)(0 - value) : (int64_t)value;
  return CELI_NUMBER_OK;
}

// ---- Characters

// The length in bytes of the UTF-8 character in the n bytes at `c`, or 0 if there is none.
static size_t utf8_length(const unsigned char *c, size_t n) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t length = c[0] < 0x80       ? 1
                  : c[0] >> 5 == 6  ? 2
                  : c[0] >> 4 == 14 ? 3
                  : c[0] >> 3 == 30 ? 4
                                    : 0;
  if (length < 2) return length;
  if (length > n) return 0;
  uint32_t point = c[0] & (0x7fu >> length);
  for (size_t i = 1; i < length; i++) {
    if ((c[i] & 0xc0) != 0x80) return 0;
    point = point << 6 | (c[i] & 0x3fu);
  }
  bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return point < least[length] || point > 0x10ffff || surrogate ? 0 : length;
}

bool celi_utf8_valid(const char *text, size_t n) {
  const unsigned char *c = (const unsigned char *)text;
  for (size_t i = 0; i < n;) {
    size_t length = utf8_length(c + i, n - i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

bool celi_text_plain(const char *text) {
  if (!celi_utf8_valid(text, strlen(text))) return false;
  for (const unsigned char *c = (const unsigned char *)text; *c != 0; c++)
    if (*c < 0x20 || *c == 0x7f || (c[0] == 0xc2 && c[1] <= 0x9f)) return false;
  return true;
}

bool celi_name_equal(const char *a, const char *b) {
  for (; *a != 0 && *b != 0; a++, b++)
    if (*a != *b && !((*a == '-' && *b == '_') || (*a == '_' && *b == '-'))) return false;
  return *a == *b;
}

// ---- Nearest names

#define EDIT_MAX 127

static char fold(char c) {
  if (c >= 'A' && c <= 'Z') return (char)(c - 'A' + 'a');
  return c == '-' ? '_' : c;
}

// Optimal string alignment distance, with three rows of the table of distances between prefixes.
size_t celi_edit_distance(const char *a, const char *b) {
  size_t n = strnlen(a, EDIT_MAX), m = strnlen(b, EDIT_MAX);
  size_t rows[3][EDIT_MAX + 1];
  for (size_t j = 0; j <= m; j++) rows[0][j] = j;
  for (size_t i = 1; i <= n; i++) {
    size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
    row[0] = i;
    for (size_t j = 1; j <= m; j++) {
      char x = fold(a[i - 1]), y = fold(b[j - 1]);
      size_t best = above[j - 1] + (x != y);
      if (above[j] + 1 < best) best = above[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      if (i > 1 && j > 1 && x == fold(b[j - 2]) && y == fold(a[i - 2]) && above2[j - 2] + 1 < best)
        best = above2[j - 2] + 1;
      row[j] = best;
    }
  }
  return rows[n % 3][m];
}

static bool begins_with(const char *text, const char *beginning) {
  for (; *beginning != 0; text++, beginning++)
    if (fold(*text) != fold(*beginning)) return false;
  return true;
}

bool celi_nearest_try(CeliNearest *nearest, const char *candidate) {
  size_t length = strlen(nearest->wanted);
  size_t distance = celi_edit_distance(nearest->wanted, candidate);
  size_t near = length / 3 + 1;
  if (length >= 3 && distance > near && begins_with(candidate, nearest->wanted)) distance = near;
  if (length == 0 || distance > near || distance >= strlen(candidate) + (distance == 0))
    return false;
  if (nearest->best != NULL && distance >= nearest->distance) return false;
  nearest->best = candidate;
  nearest->distance = distance;
  return true;
}

// ---- Growing text

// Makes room for n more bytes and a terminating zero.
static bool reserve(CeliText *text, size_t n) {
  size_t need;
  if (text->failed || !celi_size_add(text->size, n, &need) || need > PTRDIFF_MAX / 2) {
    text->failed = true;
    return false;
  }
  if (need + 1 <= text->capacity) return true;
  size_t capacity = need + 1 < 256 ? 256 : (need + 1) * 2;
  char *data = realloc(text->data, capacity);
  if (data == NULL) {
    text->failed = true;
    return false;
  }
  text->data = data;
  text->capacity = capacity;
  return true;
}

void celi_text_add(CeliText *text, const char *bytes, size_t n) {
  if (!reserve(text, n)) return;
  if (n > 0) memcpy(text->data + text->size, bytes, n);
  text->size += n;
  text->data[text->size] = 0;
}

void celi_text_format(CeliText *text, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (n < 0) text->failed = true;
  if (n >= 0 && reserve(text, (size_t)n)) {
    vsnprintf(text->data + text->size, (size_t)n + 1, format, again);
    text->size += (size_t)n;
  }
  va_end(again);
}

void celi_text_json(CeliText *text, const char *string) {
  celi_text_add(text, "\"", 1);
  for (const char *c = string; *c != 0; c++) {
    unsigned char byte = (unsigned char)*c;
    if (byte == '"' || byte == '\\')
      celi_text_format(text, "\\%c", byte);
    else if (byte < 0x20)
      celi_text_format(text, "\\u%04x", byte);
    else
      celi_text_add(text, c, 1);
  }
  celi_text_add(text, "\"", 1);
}

CelStatus celi_text_status(const CeliText *text) {
  if (!text->failed) return CEL_OK;
  return cel_fail(CEL_E_MEMORY, "not enough memory for a text of more than %zu bytes", text->size);
}

void celi_text_free(CeliText *text) {
  free(text->data);
  *text = (CeliText){0};
}

// ---- shell

const char *cel_shell_quote(char *text, size_t size, const char *path) {
  CELI_NEED_OR(text, "");
  CELI_NEED_OR(path, "");
  if (size == 0) return "";
  CELI_FLOATS(CELI_IEEE);
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              "_-./+,:@%=";
  if (path[0] && strspn(path, plain) == strlen(path)) {
    snprintf(text, size, "%s", path);
    return text;
  }
  size_t n = 0;
  const size_t room =
      size > 8 ? size - 8 : 0; // minus the longest step, the closing quote and the zero
  if (size < 3) {
    if (size) text[0] = 0;
    return text;
  }
  text[n++] = '\'';
  for (const char *c = path; *c && n < room; c++) {
    // A quoted text cannot contain a quote: close it, add an escaped quote, open it again.
    if (*c == '\'') {
      memcpy(text + n, "'\\''", 4);
      n += 4;
    } else {
      text[n++] = *c;
    }
  }
  text[n++] = '\'';
  text[n] = 0;
  return text;
}
