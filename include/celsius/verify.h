/// Checks the claims of the notes: computes each claim's number in two ways and compares them.
#ifndef CELSIUS_VERIFY_H
#define CELSIUS_VERIFY_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stdint.h>
CEL_BEGIN

/// How a check compares its two numbers.
typedef enum CelCheckKind {
  CEL_CHECK_EQUAL,   ///< |left - right| <= tolerance
  CEL_CHECK_AT_MOST, ///< left <= right + tolerance
  CEL_CHECK_DIFFERS, ///< |left - right| > tolerance: a wrong equation of the note, a known limit
  CEL_CHECK_EXCEEDS  ///< left > right + tolerance: a bound that is violated, a gain that exists
} CelCheckKind;

/// One row of the report.
typedef struct CelCheck {
  const char *note;     ///< "maximum-entropy"
  const char *equation; ///< "8.27"
  const char *claim;    ///< one line
  const char *function; ///< library function that it tests, "cel_mdp_evaluate"; "": none
  CelCheckKind kind;
  double left, right; ///< the two numbers of the worst case
  double residual;    ///< |left - right|; left - right for AT_MOST and EXCEEDS
  /// Tolerance of that case: the row's, scaled with the size of Q or with the standard error.
  double tolerance;
  bool pass;
  int64_t cases; ///< problems tried
  uint64_t seed; ///< seed of the worst case
  double seconds;
  char message[192]; ///< why the row could not run (it then fails); "" otherwise
} CelCheck;

/// Which checks to run. Zeros run all of them.
typedef struct CelVerifyOptions {
  /// Only the checks of this note. NULL: all notes.
  const char *note;
  /// Seed of the random problems.
  uint64_t seed;
  /// Threads that run the checks, at most 64. 0: one. Any number gives the same report.
  int64_t threads;
  /// Tries fewer cases, for a quick test.
  bool quick;
  /// Called with `user` after each row, in the order of the report and from the calling thread.
  /// NULL: not called.
  void (*row)(void *user, const CelCheck *check);
  /// Passed to `row`.
  void *user;
} CelVerifyOptions;

typedef struct CelVerifyReport {
  int64_t count, failed;
  CelCheck *check; ///< (count)
  double seconds;
} CelVerifyReport;

/// Runs the checks in the notes' order. A failed check is not an error. `options` NULL: the
/// defaults. Free the report with cel_verify_report_destroy. Errors: CEL_E_NAME (an unknown note),
/// CEL_E_MEMORY.
CEL_API CelStatus cel_verify(const CelVerifyOptions *options,
                             CelVerifyReport **out) CEL_WARN_UNUSED;
/// Frees a report. Takes NULL.
CEL_API void cel_verify_report_destroy(CelVerifyReport *report);
/// Returns the relation of left to right for a kind: "=", "<=", "!=", ">".
CEL_API const char *cel_check_kind_text(CelCheckKind kind);
/// Returns the name of note i ("maximum-entropy"), or NULL past the end.
CEL_API const char *cel_verify_note_at(int i);
/// Returns subject, title and author of note i, as far as the note gives them, or NULL past the
/// end.
CEL_API const char *cel_verify_note_about(int i);
/// Counts the rows that use no number of the library: they compare two computations of the note's
/// own claim.
CEL_API int64_t cel_verify_count_without_library(const CelVerifyReport *report);
/// Writes a self-contained HTML page with the table and the plots. Errors: CEL_E_IO.
CEL_API CelStatus cel_verify_write_html(const CelVerifyReport *report,
                                        const char *path) CEL_WARN_UNUSED;
/// Makes the text of docs/equations.md: equation, form, function, checks. The caller frees *text.
/// Errors: CEL_E_MEMORY.
CEL_API CelStatus cel_verify_equations(char **text) CEL_WARN_UNUSED;

CEL_END
#endif
