/// The engine of `celsius verify`: which rows pass, which case a row keeps, random streams,
/// threads, notes. The quick run must pass.
#include "verify/verify.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_ok(call)                                                                            \
  do {                                                                                             \
    if ((call) != CEL_OK) fail_msg("%s: %s", #call, cel_error());                                  \
  } while (0)

/// A row with tolerance 0.1, and a trial of it.
typedef struct Fixture {
  CeliClaim claim;
  CelCheck check;
  CeliTrial trial;
  double block[64];
} Fixture;

static void begin(Fixture *f, CelCheckKind kind) {
  memset(f, 0, sizeof *f);
  f->claim = (CeliClaim){.kind = kind, .tolerance = 0.1};
  f->check.kind = kind;
  f->trial = (CeliTrial){
      .claim = &f->claim, .check = &f->check, .fresh = true, .block = f->block, .size = 64};
}

static void assert_decides(CelCheckKind kind, double left, double right, double scale, bool pass) {
  Fixture f;
  begin(&f, kind);
  celi_compare(&f.trial, left, right, scale);
  if (celi_check_passes(&f.check) != pass)
    fail_msg("%g %s %g, tolerance %g: expected %s", left, cel_check_kind_text(kind), right,
             0.1 * scale, pass ? "pass" : "fail");
}

static void kinds_decide(void **state) {
  (void)state;
  assert_decides(CEL_CHECK_EQUAL, 1, 1.05, 1, true);
  assert_decides(CEL_CHECK_EQUAL, 1, 1.2, 1, false);
  assert_decides(CEL_CHECK_EQUAL, 1, 1.2, 10, true);
  assert_decides(CEL_CHECK_AT_MOST, 1.05, 1, 1, true);
  assert_decides(CEL_CHECK_AT_MOST, 1.2, 1, 1, false);
  assert_decides(CEL_CHECK_AT_MOST, -5, 1, 1, true);
  assert_decides(CEL_CHECK_DIFFERS, 1, 1.05, 1, false);
  assert_decides(CEL_CHECK_DIFFERS, 1, 1.2, 1, true);
  assert_decides(CEL_CHECK_EXCEEDS, 1.05, 1, 1, false);
  assert_decides(CEL_CHECK_EXCEEDS, 1.2, 1, 1, true);
  assert_decides(CEL_CHECK_EXCEEDS, 0, 1, 1, false);
}

static void nothing_passes_by_nan(void **state) {
  (void)state;
  const double nan = (double)NAN;
  for (int kind = CEL_CHECK_EQUAL; kind <= CEL_CHECK_EXCEEDS; kind++) {
    assert_decides((CelCheckKind)kind, nan, 1, 1, false);
    assert_decides((CelCheckKind)kind, 1, nan, 1, false);
    assert_decides((CelCheckKind)kind, 1, 2, nan, false);
  }
  assert_decides(CEL_CHECK_EQUAL, HUGE_VAL, 1, 1, false);
}

static void nan_stays_the_worst(void **state) {
  (void)state;
  for (int kind = CEL_CHECK_EQUAL; kind <= CEL_CHECK_EXCEEDS; kind++) {
    Fixture f;
    begin(&f, (CelCheckKind)kind);
    celi_compare(&f.trial, (double)NAN, 0, 1);
    for (int i = 0; i < 3; i++) celi_compare(&f.trial, 9 - 9 * i, 0, 1);
    assert_false(celi_check_passes(&f.check));
  }
}

static void worst_case_is_kept(void **state) {
  (void)state;
  Fixture f;
  begin(&f, CEL_CHECK_EQUAL);
  f.trial.seed = 7, celi_compare(&f.trial, 1, 1.01, 1);
  f.trial.seed = 8, f.trial.fresh = true, celi_compare(&f.trial, 2, 2.3, 1);
  f.trial.seed = 9, f.trial.fresh = true,
  celi_compare(&f.trial, 3, 3.5, 10); // relative to the scale, this is smaller
  assert_int_equal(f.check.seed, 8);
  assert_int_equal(f.check.cases, 3);
  begin(&f, CEL_CHECK_DIFFERS); // the smallest difference is the worst
  f.trial.seed = 1, celi_compare(&f.trial, 1, 5, 1);
  f.trial.seed = 2, celi_compare(&f.trial, 1, 2, 1);
  f.trial.seed = 3, celi_compare(&f.trial, 1, 7, 1);
  assert_int_equal(f.check.seed, 2);
}

static void vectors_give_their_furthest(void **state) {
  (void)state;
  Fixture f;
  const double x[] = {0, 1, 5}, y[] = {0.01, -3, 6};
  begin(&f, CEL_CHECK_EQUAL);
  celi_compare_all(&f.trial, x, y, 3, 1);
  assert_true(f.check.left == 1 && f.check.right == -3);
  begin(&f, CEL_CHECK_AT_MOST); // the largest left - right, not the largest distance
  celi_compare_all(&f.trial, y, x, 3, 1);
  assert_true(f.check.left == 6 && f.check.right == 5);
}

static void no_case_no_pass(void **state) {
  (void)state;
  Fixture f;
  begin(&f, CEL_CHECK_EQUAL);
  assert_false(celi_check_passes(&f.check));
  celi_compare(&f.trial, 1, 1, 1);
  assert_true(celi_check_passes(&f.check));
  strcpy(f.check.message, "could not be tried");
  assert_false(celi_check_passes(&f.check));
}

// ---- runs

static CelVerifyReport *run(const char *note, uint64_t seed, int64_t threads) {
  CelVerifyReport *report = NULL;
  const CelVerifyOptions options = {.note = note, .seed = seed, .threads = threads, .quick = true};
  assert_ok(cel_verify(&options, &report));
  return report;
}

static void all_green(void **state) {
  (void)state;
  CelVerifyReport *report = run(NULL, 0, 2);
  for (int64_t i = 0; i < report->count; i++) {
    const CelCheck *check = &report->check[i];
    if (!check->pass)
      print_error("[%s, %s] %s: %.17g %s %.17g, residual %g, tolerance %g, seed %llu %s\n",
                  check->note, check->equation, check->claim, check->left,
                  cel_check_kind_text(check->kind), check->right, check->residual, check->tolerance,
                  (unsigned long long)check->seed, check->message);
  }
  assert_true(report->count >= 220);
  assert_int_equal(report->failed, 0);
  cel_verify_report_destroy(report);
}

static void assert_same(const CelCheck *a, const CelCheck *b) {
  assert_string_equal(a->claim, b->claim);
  if (memcmp(&a->left, &b->left, sizeof a->left) != 0 ||
      memcmp(&a->right, &b->right, sizeof a->right) != 0 || a->seed != b->seed)
    fail_msg("%s: %.17g and %.17g, seeds %llu and %llu", a->claim, a->left, b->left,
             (unsigned long long)a->seed, (unsigned long long)b->seed);
}

/// The numbers of a row depend neither on other rows nor on threads.
static void rows_stand_alone(void **state) {
  (void)state;
  static const char *const some[] = {"maximum-entropy", "actor-critic"};
  CelVerifyReport *all = run(NULL, 5, 3);
  int64_t at = 0;
  for (int i = 0; i < 2; i++) {
    CelVerifyReport *note = run(some[i], 5, 1);
    for (int64_t row = 0; row < note->count; row++)
      assert_same(&note->check[row], &all->check[at++]);
    cel_verify_report_destroy(note);
  }
  cel_verify_report_destroy(all);
}

/// The seed that a row reports repeats its worst case, as the first case.
static void seeds_find_the_case(void **state) {
  (void)state;
  CelVerifyReport *first = run("discrete-soft-policy-gradient", 11, 1);
  const CelCheck *worst = &first->check[0];
  CelVerifyReport *again = run("discrete-soft-policy-gradient", worst->seed, 1);
  assert_true(again->check[0].residual / again->check[0].tolerance >=
              worst->residual / worst->tolerance);
  cel_verify_report_destroy(first);
  cel_verify_report_destroy(again);
}

typedef struct Told {
  int64_t rows;
  const CelCheck *last;
} Told;

static void tell(void *user, const CelCheck *check) {
  Told *told = user;
  assert_true(!told->last || check == told->last + 1);
  told->last = check, told->rows++;
}

static void rows_come_in_order(void **state) {
  (void)state;
  Told told = {0};
  CelVerifyReport *report = NULL;
  const CelVerifyOptions options = {
      .note = "policy_guarantees", .threads = 4, .quick = true, .row = tell, .user = &told};
  assert_ok(cel_verify(&options, &report));
  assert_int_equal(told.rows, report->count);
  cel_verify_report_destroy(report);
}

static void unknown_notes(void **state) {
  (void)state;
  CelVerifyReport *report = NULL;
  const CelVerifyOptions near = {.note = "actor-citric"}, far = {.note = "zzz"};
  assert_int_equal(cel_verify(&near, &report), CEL_E_NAME);
  assert_non_null(strstr(cel_error(), "did you mean 'actor-critic'"));
  assert_int_equal(cel_verify(&far, &report), CEL_E_NAME);
  assert_non_null(strstr(cel_error(), "soft-q-learning"));
}

/// Each claim belongs to an equation of the table. Within a note, claims and random streams are
/// unique.
static void every_claim_has_an_equation(void **state) {
  (void)state;
  char *text = NULL;
  assert_ok(cel_verify_equations(&text));
  for (int i = 0; celi_note_at(i); i++) {
    const CeliClaim *c, *other;
    const CeliNote *note = celi_note_at(i);
    for (int row = 0; (c = celi_note_claim(note, row, NULL)); row++) {
      if (!strstr(text, c->claim))
        fail_msg("the table of equations has no [%s, %s]: %s", note->name, c->equation, c->claim);
      if (strchr(c->claim, '|'))
        fail_msg("a claim must not contain '|', which ends a table cell: %s", c->claim);
      for (int k = row + 1; (other = celi_note_claim(note, k, NULL)); k++)
        if (strcmp(other->claim, c->claim) == 0 && strcmp(other->equation, c->equation) == 0)
          fail_msg("two rows of [%s, %s] have the claim: %s", note->name, c->equation, c->claim);
        else if (c->stream && other->stream == c->stream)
          fail_msg("two rows of %s have the stream 0x%08x: %s", note->name, c->stream, c->claim);
    }
  }
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(kinds_decide),
      cmocka_unit_test(nothing_passes_by_nan),
      cmocka_unit_test(nan_stays_the_worst),
      cmocka_unit_test(worst_case_is_kept),
      cmocka_unit_test(vectors_give_their_furthest),
      cmocka_unit_test(no_case_no_pass),
      cmocka_unit_test(all_green),
      cmocka_unit_test(rows_stand_alone),
      cmocka_unit_test(seeds_find_the_case),
      cmocka_unit_test(rows_come_in_order),
      cmocka_unit_test(unknown_notes),
      cmocka_unit_test(every_claim_has_an_equation),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
