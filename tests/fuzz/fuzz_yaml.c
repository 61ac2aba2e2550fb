/// Any bytes as a config. It is refused and nothing changes, or it is read, written and read back
/// to the same bits.
#include "base/yaml.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Inner {
  double gravity;
  int64_t poles;
} Inner;

typedef struct Config {
  bool flag;
  int64_t steps;
  uint64_t seed;
  double rate, limit, entropy;
  int32_t activation;
  char id[CEL_TEXT_MAX], path[CEL_PATH_MAX];
  CelIntList widths;
  CelSchedule schedule;
  CelInterval height;
  Inner inner;
} Config;

#define ROW(c, n, t) .name = #n, .type = t, .offset = offsetof(c, n), .doc = #n
static const CelField inner_table[] = {{ROW(Inner, gravity, CEL_FIELD_DOUBLE)},
                                       {ROW(Inner, poles, CEL_FIELD_INT), .min = -3, .max = 3},
                                       {0}};
static const CelField table[] = {
    {ROW(Config, flag, CEL_FIELD_BOOL)},
    {ROW(Config, steps, CEL_FIELD_INT)},
    {ROW(Config, seed, CEL_FIELD_U64)},
    {ROW(Config, rate, CEL_FIELD_DOUBLE), .min = 0, .max = 1},
    {ROW(Config, limit, CEL_FIELD_DOUBLE), .def = "inf"},
    {ROW(Config, entropy, CEL_FIELD_AUTO), .def = "auto"},
    {ROW(Config, activation, CEL_FIELD_ENUM), .choices = "relu|off|tanh"},
    {ROW(Config, id, CEL_FIELD_STRING)},
    {ROW(Config, path, CEL_FIELD_PATH)},
    {ROW(Config, widths, CEL_FIELD_INT_LIST)},
    {ROW(Config, schedule, CEL_FIELD_SCHEDULE)},
    {ROW(Config, height, CEL_FIELD_INTERVAL), .def = "0,inf"},
    {ROW(Config, inner, CEL_FIELD_GROUP), .group = inner_table},
    {0}};

typedef struct Both {
  Config top, sub;
  CelYamlSection sections[2];
} Both;

static void fill(Both *both) {
  memset(both, 0, sizeof *both);
  cel_fields_default(table, &both->top);
  cel_fields_default(table, &both->sub);
  both->sections[0] = (CelYamlSection){"", table, &both->top};
  both->sections[1] = (CelYamlSection){"sub", table, &both->sub};
}

static bool same(const Both *a, const Both *b) {
  return memcmp(&a->top, &b->top, sizeof a->top) == 0 &&
         memcmp(&a->sub, &b->sub, sizeof a->sub) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static Both got, back;
  char text[CEL_TEXT_MAX];
  bool found;
  fill(&got);
  fill(&back);
  CelStatus peeked =
      celi_yaml_parse_peek("fuzz", (const char *)data, size, "id", text, sizeof text, &found);
  CelStatus status = celi_yaml_parse("fuzz", (const char *)data, size, got.sections, 2);
  if (status != CEL_OK) {
    if (cel_error()[0] == 0 || !same(&got, &back)) abort();
    return 0;
  }
  if (peeked != CEL_OK && peeked != CEL_E_TYPE && peeked != CEL_E_RANGE && peeked != CEL_E_NAME)
    abort();
  if (peeked == CEL_OK && found && strcmp(text, got.top.id) != 0) abort();
  CeliText out = {0};
  if (celi_yaml_format(&out, got.sections, 2) != CEL_OK) abort();
  if (celi_yaml_parse("back", out.data, out.size, back.sections, 2) != CEL_OK) abort();
  if (!same(&got, &back)) abort();
  celi_text_free(&out);
  return 0;
}
