/// Reading and writing of text for the formats of Gymnasium, Cassandra and PRISM.
#include "mdp/formats/text.h"
#include "mdp/model.h"
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// ---- the text

CelStatus celi_text_read(const char *path, char **data, size_t *size) {
  static const size_t endless = (size_t)256 << 20;
  struct stat info;
  const bool plain = stat(path, &info) == 0 && S_ISREG(info.st_mode);
  return celi_file_read(path, plain ? SIZE_MAX / 4 : endless, data, size);
}

// ---- the cursor

CeliScan celi_scan(const char *file, const char *text, size_t size) {
  return (CeliScan){
      .file = file, .at = text, .end = text + size, .line = 1, .state = -1, .action = -1};
}

void celi_scan_say(const CeliScan *scan, int64_t line, const char *format, ...) {
  char text[768], where[80] = "";
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (scan->action >= 0) {
    snprintf(where, sizeof where, "state %" PRId64 ", action %" PRId64 ": ", scan->state,
             scan->action);
  } else if (scan->state >= 0) {
    snprintf(where, sizeof where, "state %" PRId64 ": ", scan->state);
  }
  (void)cel_fail(CEL_E_CORRUPT, "%s: line %" PRId64 ": %s%s", scan->file, line, where, text);
}

CelStatus celi_scan_in(const CeliScan *scan, int64_t line, CelStatus status) {
  return cel_fail_in(status, "%s: line %" PRId64 ": ", scan->file, line);
}

static bool blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}

static void skip_line(CeliScan *scan) {
  const char *end = memchr(scan->at, '\n', (size_t)(scan->end - scan->at));
  scan->at = end ? end : scan->end;
}

void celi_scan_blank(CeliScan *scan, char comment) {
  for (; scan->at < scan->end; scan->at++) {
    if (comment != 0 && *scan->at == comment) {
      skip_line(scan);
      if (scan->at == scan->end) return;
    }
    if (!blank(*scan->at)) return;
    scan->line += *scan->at == '\n';
  }
}

bool celi_scan_line(CeliScan *scan, CeliWord *word, int most, int *count) {
  celi_scan_blank(scan, '#');
  *count = 0;
  while (scan->at < scan->end && *scan->at != '\n') {
    const char *from = scan->at;
    while (scan->at < scan->end && !blank(*scan->at)) scan->at++;
    if (*count < most) word[*count] = (CeliWord){from, (size_t)(scan->at - from), scan->line};
    if (*count < INT32_MAX) ++*count;
    while (scan->at < scan->end && *scan->at != '\n' && blank(*scan->at)) scan->at++;
  }
  return *count > 0;
}

// ---- words

bool celi_word_is(CeliWord word, const char *text) {
  return strlen(text) == word.n && memcmp(word.text, text, word.n) == 0;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

CeliNumber celi_word_index(CeliWord word, int64_t *out) {
  int64_t value = 0;
  bool large = false;
  if (word.n == 0) return CELI_NUMBER_JUNK;
  for (size_t i = 0; i < word.n; i++) {
    if (!is_digit(word.text[i])) return CELI_NUMBER_JUNK;
    large |= __builtin_mul_overflow(value, 10, &value);
    large |= __builtin_add_overflow(value, word.text[i] - '0', &value);
  }
  if (large) return CELI_NUMBER_LARGE;
  *out = value;
  return CELI_NUMBER_OK;
}

/// Parses up to 15 digits with at most one point. The digits as a whole number and the power of ten
/// are exact, so one division rounds correctly. False for any other word.
static bool plain_double(CeliWord word, double *out) {
  static const double power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  int64_t digits = 0;
  int count = 0, behind = -1; // digits after the point
  const bool negative = word.n > 0 && word.text[0] == '-';
  if (word.n > 17) return false;
  for (size_t i = negative; i < word.n; i++) {
    if (word.text[i] == '.' && behind < 0) {
      behind = 0;
    } else if (is_digit(word.text[i])) {
      digits = digits * 10 + (word.text[i] - '0');
      count++;
      behind += behind >= 0;
    } else {
      return false;
    }
  }
  if (count == 0 || count > 15) return false;
  const double value = (double)digits / power[behind > 0 ? behind : 0];
  *out = negative ? -value : value;
  return true;
}

CeliNumber celi_word_double(CeliWord word, double *out) {
  char text[1024];
  if (plain_double(word, out)) return CELI_NUMBER_OK;
  const bool sign = word.n > 0 && (word.text[0] == '-' || word.text[0] == '+');
  size_t from = sign;
  while (from + 1 < word.n && word.text[from] == '0' && is_digit(word.text[from + 1])) from++;
  if (word.n - from + sign >= sizeof text || memchr(word.text, 0, word.n)) return CELI_NUMBER_JUNK;
  if (sign) text[0] = word.text[0];
  memcpy(text + sign, word.text + from, word.n - from);
  text[sign + word.n - from] = 0;
  double value;
  const CeliNumber result = celi_parse_double(text, &value);
  if (result != CELI_NUMBER_OK) return result;
  if (!isfinite(value)) return CELI_NUMBER_JUNK;
  *out = value;
  return CELI_NUMBER_OK;
}

CelStatus celi_scan_number(const CeliScan *scan, CeliWord word, const char *what, double *out) {
  const CeliNumber result = celi_word_double(word, out);
  if (result == CELI_NUMBER_OK) return CEL_OK;
  return celi_scan_fail(scan, word.line, "%s \"%.*s\" is %s; it must be a finite number", what,
                        CELI_WORD(word),
                        result == CELI_NUMBER_LARGE ? "too large a number" : "not a number");
}

CelStatus celi_scan_probability(const CeliScan *scan, CeliWord word, const char *what,
                                double *out) {
  CELI_TRY(celi_scan_number(scan, word, what, out));
  if (celi_mdp_is_probability(*out)) return CEL_OK;
  return celi_scan_fail(scan, word.line, "%s %.*s is not in [0, 1]", what, CELI_WORD(word));
}

CelStatus celi_scan_index(const CeliScan *scan, CeliWord word, const char *what, int64_t count,
                          int64_t *out) {
  const CeliNumber result = celi_word_index(word, out);
  if (result == CELI_NUMBER_OK && *out < count) return CEL_OK;
  if (result == CELI_NUMBER_JUNK) {
    return celi_scan_fail(scan, word.line, "%s \"%.*s\" is not a whole number of at least 0", what,
                          CELI_WORD(word));
  }
  return celi_scan_fail(scan, word.line, "%s %.*s is out of range; it must be 0 to %" PRId64, what,
                        CELI_WORD(word), count - 1);
}

// ---- arrays, rows

CelStatus celi_grow(void *array, int64_t *capacity, int64_t needed, size_t size, const char *what) {
  if (needed <= *capacity) return CEL_OK;
  const int64_t more = *capacity + *capacity / 2 + 16;
  const int64_t wanted = more > needed ? more : needed;
  CELI_TRY(celi_resize(array, (size_t)wanted, size, what));
  *capacity = wanted;
  return CEL_OK;
}

/// The sum of the positive probabilities (Neumaier's algorithm). Others will be dropped.
static double sum_row(const CeliEntry *entry, int64_t n) {
  double sum = 0.0, lost = 0.0;
  for (int64_t i = 0; i < n; i++) {
    const double x = fmax(entry[i].probability, 0.0), next = sum + x;
    lost += sum >= x ? (sum - next) + x : (x - next) + sum;
    sum = next;
  }
  return sum + lost;
}

CelStatus celi_row_check(const CeliScan *scan, int64_t line, int64_t state, int64_t action,
                         const CeliEntry *entry, int64_t n) {
  const double sum = sum_row(entry, n);
  if (n == 0) {
    return celi_scan_fail(scan, line,
                          "state %" PRId64 ", action %" PRId64
                          " has no transition; add one, or leave the action out",
                          state, action);
  }
  if (!celi_mdp_is_one(sum)) {
    return celi_scan_fail(scan, line,
                          "state %" PRId64 ", action %" PRId64 ": the probabilities of its %" PRId64
                          " transition%s sum to %.15g; they must sum to 1",
                          state, action, n, celi_s(n), sum);
  }
  return CEL_OK;
}

CelStatus celi_row_put(CelMdpBuilder *builder, const CeliScan *scan, int64_t line, int64_t state,
                       int64_t action, const CeliEntry *entry, int64_t n) {
  CELI_TRY(celi_row_check(scan, line, state, action, entry, n));
  CELI_TRY(celi_scan_in(scan, line, cel_mdp_pair(builder, state, action, 0.0)));
  for (int64_t i = 0; i < n; i++) {
    CELI_TRY(celi_scan_in(scan, line,
                          cel_mdp_transition(builder, entry[i].next, entry[i].probability,
                                             entry[i].reward, entry[i].ends)));
  }
  return CEL_OK;
}

CelStatus celi_start_put(CelMdpBuilder *builder, const CeliScan *scan, int64_t line,
                         const double *start, int64_t states) {
  double sum = 0.0;
  for (int64_t s = 0; s < states; s++) sum += fmax(start[s], 0.0);
  if (!celi_mdp_is_one(sum)) {
    return celi_scan_fail(scan, line, "the initial distribution sums to %.15g; it must sum to 1",
                          sum);
  }
  for (int64_t s = 0; s < states; s++) {
    if (start[s] > 0.0) CELI_TRY(celi_scan_in(scan, line, cel_mdp_start(builder, s, start[s])));
  }
  return CEL_OK;
}

CelStatus celi_name_put(CelMdpBuilder *builder, const char *path) {
  char name[CEL_TEXT_MAX];
  const char *base = strrchr(path, '/');
  base = base ? base + 1 : path;
  const char *dot = strrchr(base, '.');
  const size_t n = dot && dot > base ? (size_t)(dot - base) : strlen(base);
  if (n >= sizeof name) return CEL_OK; // the name is optional
  memcpy(name, base, n);
  name[n] = 0;
  return celi_text_plain(name) ? cel_mdp_set_name(builder, name) : CEL_OK;
}

// ---- writing

enum { FLUSH = 1 << 16 };

static void flush(CeliOut *out, size_t least) {
  if (out->status == CEL_OK) out->status = celi_text_status(&out->text);
  if (out->writer == NULL || out->status != CEL_OK || out->text.size < least) return;
  out->status = celi_writer_put(out->writer, out->text.data, out->text.size);
  out->text.size = 0;
}

void celi_out_format(CeliOut *out, const char *format, ...) {
  char text[256];
  if (out->status != CEL_OK) return;
  va_list args;
  va_start(args, format);
  const int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  CEL_ASSERT(n >= 0 && n < (int)sizeof text);
  celi_text_add(&out->text, text, (size_t)n);
  flush(out, FLUSH);
}

void celi_out_double(CeliOut *out, double value) {
  char text[CELI_NUMBER_MAX];
  if (out->status != CEL_OK) return;
  celi_double_text(text, value);
  celi_text_add(&out->text, text, strlen(text));
  flush(out, FLUSH);
}

void celi_out_index(CeliOut *out, int64_t value) {
  char text[CELI_NUMBER_MAX];
  char *c = text + sizeof text;
  CEL_ASSERT(value >= 0);
  do *--c = (char)('0' + value % 10);
  while ((value /= 10) > 0);
  if (out->status == CEL_OK) celi_text_add(&out->text, c, (size_t)(text + sizeof text - c));
  flush(out, FLUSH);
}

void celi_out_bytes(CeliOut *out, const void *data, size_t size) {
  if (out->status != CEL_OK || size == 0) return;
  celi_text_add(&out->text, data, size);
  flush(out, FLUSH);
}

CelStatus celi_out_finish(CeliOut *out) {
  flush(out, 1);
  if (out->writer) celi_text_free(&out->text);
  return out->status;
}

CelStatus celi_out_file(const char *path, const CelMdp *mdp,
                        void (*emit)(CeliOut *, const CelMdp *)) {
  CeliWriter writer;
  CELI_TRY(celi_writer_open(&writer, path));
  CeliOut out = {.writer = &writer};
  emit(&out, mdp);
  const CelStatus status = celi_out_finish(&out);
  if (status == CEL_OK) return celi_writer_close(&writer);
  celi_writer_abandon(&writer);
  return status;
}
