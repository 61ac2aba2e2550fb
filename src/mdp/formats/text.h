/// Shared code of the text formats: a cursor with line numbers, number parsing, rows for the
/// builder, and text output.
///
/// Texts are held in memory as a whole. Sizes in a header are trusted only as far as the text
/// supports them. Every message begins with "FILE: line N: ".
#ifndef CELSIUS_MDP_FORMAT_TEXT_H
#define CELSIUS_MDP_FORMAT_TEXT_H
#include "base/base.h"
#include "celsius/mdp.h"

/// A piece of the text.
typedef struct CeliWord {
  const char *text;
  size_t n;
  int64_t line;
} CeliWord;
/// Arguments for "%.*s", cut to at most 60 bytes.
#define CELI_WORD(word) (int)((word).n < 60 ? (word).n : 60), (word).text

typedef struct CeliScan {
  const char *file; ///< file name for messages
  const char *at, *end;
  int64_t line;          ///< line of `at`, from 1
  int64_t state, action; ///< state and action being read, for messages; -1: none
} CeliScan;

/// Reads a whole text. Pipes and devices may be endless and are limited to 256 MiB.
/// Errors: CEL_E_IO, CEL_E_FORMAT (above the limit), CEL_E_MEMORY.
CelStatus celi_text_read(const char *path, char **data, size_t *size) CEL_WARN_UNUSED;

CeliScan celi_scan(const char *file, const char *text, size_t size);
/// Records "FILE: line N: state S, action A: ..." and evaluates to CEL_E_CORRUPT. It is a macro so
/// that static analyzers, which read one file at a time, know the value.
#define celi_scan_fail(scan, line, ...) (celi_scan_say(scan, line, __VA_ARGS__), CEL_E_CORRUPT)
void celi_scan_say(const CeliScan *scan, int64_t line, const char *format, ...) CEL_PRINTF(3, 4);
/// Puts "FILE: line N: " before the recorded message, unless `status` is CEL_OK.
CelStatus celi_scan_in(const CeliScan *scan, int64_t line, CelStatus status) CEL_WARN_UNUSED;
/// Skips blanks, line ends, and comments that begin with `comment` (0: none).
void celi_scan_blank(CeliScan *scan, char comment);
/// Splits the next line that is not blank or a # comment into words. *count may exceed `most`; only
/// the first `most` words are stored. False at the end of the text.
bool celi_scan_line(CeliScan *scan, CeliWord *word, int most, int *count);

bool celi_word_is(CeliWord word, const char *text);
/// Parses a decimal number. Leading zeros are allowed. Other words and infinite numbers are
/// refused.
CeliNumber celi_word_double(CeliWord word, double *out);
/// Parses digits only.
CeliNumber celi_word_index(CeliWord word, int64_t *out);

/// Parse a field and name it in messages: a finite number, a probability (within CELI_MDP_GIVEN of
/// [0, 1]), or an index below `count`.
CelStatus celi_scan_number(const CeliScan *scan, CeliWord word, const char *what,
                           double *out) CEL_WARN_UNUSED;
CelStatus celi_scan_probability(const CeliScan *scan, CeliWord word, const char *what,
                                double *out) CEL_WARN_UNUSED;
CelStatus celi_scan_index(const CeliScan *scan, CeliWord word, const char *what, int64_t count,
                          int64_t *out) CEL_WARN_UNUSED;

/// Grows an array to at least `needed` elements. `array` points to the pointer.
CelStatus celi_grow(void *array, int64_t *capacity, int64_t needed, size_t size,
                    const char *what) CEL_WARN_UNUSED;

/// A transition of a row.
typedef struct CeliEntry {
  int64_t next;
  double probability, reward;
  bool ends;
} CeliEntry;
/// Checks the n transitions of a pair, at least one and with the sum 1. `line` is the line of the
/// row.
CelStatus celi_row_check(const CeliScan *scan, int64_t line, int64_t state, int64_t action,
                         const CeliEntry *entry, int64_t n) CEL_WARN_UNUSED;
/// Adds a pair and its n transitions to the builder. `line` is the line of the row.
CelStatus celi_row_put(CelMdpBuilder *builder, const CeliScan *scan, int64_t line, int64_t state,
                       int64_t action, const CeliEntry *entry, int64_t n) CEL_WARN_UNUSED;
/// Sets the initial distribution (S,).
CelStatus celi_start_put(CelMdpBuilder *builder, const CeliScan *scan, int64_t line,
                         const double *start, int64_t states) CEL_WARN_UNUSED;
/// Names the MDP after its file, without folder and extension.
CelStatus celi_name_put(CelMdpBuilder *builder, const char *path) CEL_WARN_UNUSED;

/// Text output in pieces. Without a writer, the text stays in memory. The first failure is kept.
typedef struct CeliOut {
  CeliText text;
  CeliWriter *writer;
  CelStatus status;
} CeliOut;
void celi_out_format(CeliOut *out, const char *format, ...) CEL_PRINTF(2, 3);
/// Writes the shortest text that parses to the same bits.
void celi_out_double(CeliOut *out, double value);
void celi_out_index(CeliOut *out, int64_t value);
void celi_out_bytes(CeliOut *out, const void *data, size_t size);
/// Writes the rest, and frees the text if there is a writer. Returns the first failure.
CelStatus celi_out_finish(CeliOut *out) CEL_WARN_UNUSED;
/// Writes the file at `path` with `emit`, completely or not at all.
CelStatus celi_out_file(const char *path, const CelMdp *mdp,
                        void (*emit)(CeliOut *, const CelMdp *)) CEL_WARN_UNUSED;

#endif
