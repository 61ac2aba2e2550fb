/// Operations of learners' plans touch only what they declare: one case of every learner.
#include "plan_cases.h"

static void operations_touch_what_they_declare(void **state) {
  (void)state;
  plan_check_all(true);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(operations_touch_what_they_declare)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
