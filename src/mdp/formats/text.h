/// What the readers and writers of problems as text share: a cursor that knows its line, numbers as people
/// write them, rows on their way to the builder, and text on its way to a file.
///
/// Texts are whole in memory, sizes in a header are believed only as far as the text bears them out, and
/// every message begins with "FILE: line N: ".
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
/// The arguments of "%.*s", cut to what a message bears.
#define CELI_WORD(word) (int)((word).n < 60 ? (word).n : 60), (word).text

typedef struct CeliScan {
  const char *file; ///< for messages
  const char *at, *end;
  int64_t line;          ///< of `at`, from 1
  int64_t state, action; ///< being read, for messages; -1: none
} CeliScan;

/// Reads the text of a problem whole: a file as far as memory goes, a pipe or a device to 256 MiB, for it may have no end.
/// Errors: CEL_E_IO, CEL_E_FORMAT (longer), CEL_E_MEMORY.
CelStatus celi_text_read(const char *path, char **data, size_t *size) CEL_WARN_UNUSED;

CeliScan celi_scan(const char *file, const char *text, size_t size);
/// Records "FILE: line N: state S, action A: ..." and is CEL_E_CORRUPT: a macro, so that an analyser that reads
/// one file at a time knows it too.
#define celi_scan_fail(scan, line, ...) (celi_scan_say(scan, line, __VA_ARGS__), CEL_E_CORRUPT)
void celi_scan_say(const CeliScan *scan, int64_t line, const char *format, ...) CEL_PRINTF(3, 4);
/// Puts "FILE: line N: " in front of the recorded message, unless `status` is CEL_OK.
CelStatus celi_scan_in(const CeliScan *scan, int64_t line, CelStatus status) CEL_WARN_UNUSED;
/// Passes over blanks, line ends and comments from `comment` to the end of the line (0: there are none).
void celi_scan_blank(CeliScan *scan, char comment);
/// Splits the next line that holds anything into words; lines that begin with '#' are passed over. Words
/// past the first `most` are counted, not kept. False at the end.
bool celi_scan_line(CeliScan *scan, CeliWord *word, int most, int *count);

bool celi_word_is(CeliWord word, const char *text);
/// A decimal number, zeros in front allowed. Words that are no number or not finite are refused.
CeliNumber celi_word_double(CeliWord word, double *out);
/// Digits alone.
CeliNumber celi_word_index(CeliWord word, int64_t *out);

/// Fields of a line, named in messages: a finite number, a probability (by the rule of model.h, so that it may be below 0
/// or above 1 by a little), an index below `count`.
CelStatus celi_scan_number(const CeliScan *scan, CeliWord word, const char *what,
                           double *out) CEL_WARN_UNUSED;
CelStatus celi_scan_probability(const CeliScan *scan, CeliWord word, const char *what,
                                double *out) CEL_WARN_UNUSED;
CelStatus celi_scan_index(const CeliScan *scan, CeliWord word, const char *what, int64_t count,
                          int64_t *out) CEL_WARN_UNUSED;

/// Room for `needed` elements in an array that grows by half. `array` points to the pointer.
CelStatus celi_grow(void *array, int64_t *capacity, int64_t needed, size_t size,
                    const char *what) CEL_WARN_UNUSED;

/// A transition of a row.
typedef struct CeliEntry {
  int64_t next;
  double probability, reward;
  bool ends;
} CeliEntry;
/// Gives state `state`'s action with its n transitions to the builder. `line` is where the row is.
CelStatus celi_row_put(CelMdpBuilder *builder, const CeliScan *scan, int64_t line, int64_t state,
                       int64_t action, const CeliEntry *entry, int64_t n) CEL_WARN_UNUSED;
/// Sets the initial distribution (S,).
CelStatus celi_start_put(CelMdpBuilder *builder, const CeliScan *scan, int64_t line,
                         const double *start, int64_t states) CEL_WARN_UNUSED;
/// Calls the problem what its file is called, folder and ending left out.
CelStatus celi_name_put(CelMdpBuilder *builder, const char *path) CEL_WARN_UNUSED;

/// Text that is written piece by piece; kept whole where there is no writer. The first failure sticks.
typedef struct CeliOut {
  CeliText text;
  CeliWriter *writer;
  CelStatus status;
} CeliOut;
void celi_out_format(CeliOut *out, const char *format, ...) CEL_PRINTF(2, 3);
/// The shortest text that reads back to the same bits.
void celi_out_double(CeliOut *out, double value);
void celi_out_index(CeliOut *out, int64_t value);
/// Writes what is left; the text is freed where there is a writer. Returns the first failure.
CelStatus celi_out_finish(CeliOut *out) CEL_WARN_UNUSED;
/// Writes the file at `path` by `emit`, whole or not at all.
CelStatus celi_out_file(const char *path, const CelMdp *mdp,
                        void (*emit)(CeliOut *, const CelMdp *)) CEL_WARN_UNUSED;

#endif
