/// All rows pass for other random problems, with seeds that the command does not use.
#include "celsius/verify.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void green_at_other_seeds(void **state) {
  (void)state;
  for (uint64_t seed = 1000; seed <= 10000; seed += 1000) {
    CelVerifyReport *report = NULL;
    const CelVerifyOptions options = {.seed = seed, .threads = 2, .quick = true};
    if (cel_verify(&options, &report) != CEL_OK) fail_msg("%s", cel_error());
    for (int64_t i = 0; i < report->count; i++) {
      const CelCheck *check = &report->check[i];
      if (!check->pass)
        fail_msg("[%s, %s] %s: %.17g %s %.17g, residual %g, tolerance %g, seed %llu %s",
                 check->note, check->equation, check->claim, check->left,
                 cel_check_kind_text(check->kind), check->right, check->residual, check->tolerance,
                 (unsigned long long)check->seed, check->message);
    }
    cel_verify_report_destroy(report);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(green_at_other_seeds)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
