/// Every claim of the notes as a number that is computed two ways.
#ifndef CELSIUS_VERIFY_H
#define CELSIUS_VERIFY_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stdint.h>
CEL_BEGIN

/// How the residual decides.
typedef enum CelCheckKind {
  CEL_CHECK_EQUAL,   ///< |left - right| <= tolerance
  CEL_CHECK_AT_MOST, ///< left <= right + tolerance
  CEL_CHECK_DIFFERS, ///< |left - right| > tolerance: a printed form that must fail, a limit that must show
  CEL_CHECK_EXCEEDS ///< left > right + tolerance: a bound that must be violated, a gain that must be there
} CelCheckKind;

typedef struct CelCheck {
  const char *note;     ///< "maximum-entropy"
  const char *equation; ///< "8.27"
  const char *claim;    ///< one line
  const char *function; ///< what of the library it tries: "cel_mdp_evaluate"; "": nothing
  CelCheckKind kind;
  double left, right; ///< the worst case's two numbers
  double residual;    ///< |left - right|; of AT_MOST and EXCEEDS left - right
  double
      tolerance; ///< of that case: the row's, scaled with the size of Q, or with the standard error
  bool pass;
  int64_t cases; ///< problems tried
  uint64_t seed; ///< of the worst case
  double seconds;
  char message[192]; ///< why a row could not be tried (then it fails); "" otherwise
} CelCheck;

typedef struct CelVerifyOptions {
  const char *note; ///< only this one; NULL: all
  uint64_t seed;
  int64_t threads;
  bool quick;                                     ///< fewer cases, for the quick tests
  void (*row)(void *user, const CelCheck *check); ///< called for each as it is done; or NULL
  void *user;
} CelVerifyOptions;

typedef struct CelVerifyReport {
  int64_t count, failed;
  CelCheck *check; ///< (count)
  double seconds;
} CelVerifyReport;

/// Runs the checks in the notes' order. Errors: CEL_E_NAME (an unknown note), CEL_E_MEMORY. Checks that fail are no error.
CEL_API CelStatus cel_verify(const CelVerifyOptions *options,
                             CelVerifyReport **out) CEL_WARN_UNUSED;
CEL_API void cel_verify_report_destroy(CelVerifyReport *report);
/// "=", "<=", "!=", ">": what holds between left and right of a kind.
CEL_API const char *cel_check_kind_text(CelCheckKind kind);
/// Note i ("maximum-entropy"), NULL past the end.
CEL_API const char *cel_verify_note_at(int i);
/// What note i is about, its title and its author, as far as the note gives them; NULL past the end.
CEL_API const char *cel_verify_note_about(int i);
/// How many rows have no number of the library's: they compare two computations of the note's own claim.
CEL_API int64_t cel_verify_count_without_library(const CelVerifyReport *report);
/// One self-contained page: the table and the plots. Errors: CEL_E_IO.
CEL_API CelStatus cel_verify_write_html(const CelVerifyReport *report,
                                        const char *path) CEL_WARN_UNUSED;
/// docs/equations.md as text: equation, form, function, checks. The caller frees *text. Errors: CEL_E_MEMORY.
CEL_API CelStatus cel_verify_equations(char **text) CEL_WARN_UNUSED;

CEL_END
#endif
