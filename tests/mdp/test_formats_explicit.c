/// UMB, DRN, Storm and PETSc: what is written is read back, and the error sentences of broken
/// files.
#include "celsius/mdp.h"
#include "mdp/formats/drn.h"
#include "mdp/formats/petsc.h"
#include "mdp/formats/storm.h"
#include "mdp/formats/tar.h"
#include "mdp/formats/umb.h"
#include "mdp/model_cases.h"
#include "support/load_options.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static CelStatus load(CelMdp **out, const char *path, const char *reward) {
  CelMdpLoadOptions options = cel_mdp_load_options_default();
  options.discount = 0.95;
  snprintf(options.reward, sizeof options.reward, "%s", reward);
  return cel_mdp_load_with(out, path, &options);
}

/// A random MDP with one initial state, labels and reward models. With WITH_REWARD_NEXT, one model
/// has rewards of transitions.
static CelMdp *named_mdp(uint64_t seed, int64_t S, int with) {
  CelRng rng = cel_rng(seed, CEL_RNG_USER, 1);
  CelMdpBuilder *b = builder_of(S, 0.95, 0);
  uint8_t in[64] = {0};
  int64_t time, gain;
  assert_ok(cel_mdp_reward_model(b, "time", &time));
  assert_ok(cel_mdp_reward_model(b, "gain-2", &gain));
  for (int64_t s = 0; s < S; s++) in[s] = cel_rng_below(&rng, 2) == 0;
  assert_ok(cel_mdp_label(b, "Goal", in));
  memset(in, 0, sizeof in);
  assert_ok(cel_mdp_label(b, "nowhere", in));
  for (int64_t s = 0; s < S; s++) {
    if (s > 0 && s % 4 == 3) continue;
    assert_ok(cel_mdp_reward_of_state(b, time, s, cel_rng_range(&rng, 0, 1)));
    for (int64_t a = 0; a < 2; a++) {
      assert_ok(cel_mdp_pair(b, s, with & WITH_NUMBERS ? 2 * a + 1 : a, 0.0));
      assert_ok(cel_mdp_reward_of_pair(b, gain, cel_rng_range(&rng, -1, 1)));
      const double p = cel_rng_range(&rng, 0.1, 0.9);
      for (int i = 0; i < 2; i++) {
        const int64_t next = (int64_t)cel_rng_below(&rng, (uint64_t)S);
        assert_ok(cel_mdp_transition(b, next, i ? 1.0 - p : p, 0.0, false));
        if (with & WITH_REWARD_NEXT)
          assert_ok(cel_mdp_reward_of_transition(b, time, cel_rng_range(&rng, -1, 1)));
      }
    }
  }
  assert_ok(cel_mdp_start(b, 0, 1.0));
  assert_ok(cel_mdp_set_name(b, "random"));
  return built(b);
}

/// Compares everything but the label "deadlock", which terminal states get.
static void expect_same(CelMdp *mdp, CelMdp *back) {
  const CelMdpLabel *deadlock;
  assert_ok(cel_mdp_label_find(back, "deadlock", &deadlock));
  for (int64_t s = 0; s < mdp->states; s++)
    assert_int_equal(deadlock->in[s], mdp->pair[s + 1] == mdp->pair[s]);
  assert_int_equal(back->labels, mdp->labels + 1);
  CelMdp without = *back;
  without.labels = 0;
  without.label = NULL;
  CelMdp plain = *mdp;
  plain.labels = 0;
  plain.label = NULL;
  expect_same_mdp(&plain, &without);
  for (int64_t i = 0; i < mdp->labels; i++) {
    const CelMdpLabel *label;
    assert_ok(cel_mdp_label_find(back, mdp->label[i].name, &label));
    assert_memory_equal(label->in, mdp->label[i].in, (size_t)mdp->states);
  }
}

static void umb_keeps_everything(void **state) {
  static const char *const names[] = {"r.umb", "r.umb.gz", "r.umb.xz"};
  for (int i = 0; i < 3; i++) {
    if (celi_packing_check((CeliPacking)i) != CEL_OK) continue;
    for (uint64_t seed = 1; seed <= 4; seed++) {
      const char *path = in_folder(state, names[i]);
      CelMdp *mdp =
          named_mdp(seed, 11 + (int64_t)seed * 10, seed % 2 ? WITH_REWARD_NEXT | WITH_NUMBERS : 0);
      CelMdp *chosen, *back;
      assert_ok(cel_mdp_with_reward(mdp, "time", &chosen));
      assert_ok(cel_mdp_save(chosen, path, CEL_MDP_AUTO));
      assert_ok(load(&back, path, "time"));
      expect_same(chosen, back);
      cel_mdp_destroy(back);
      cel_mdp_destroy(chosen);
      cel_mdp_destroy(mdp);
    }
  }
}

/// The discount is stored. The own rewards of a problem become a reward model.
static void umb_keeps_discount_and_own_rewards(void **state) {
  const char *path = in_folder(state, "own.umb");
  CelMdp *mdp = random_mdp(7, 9, WITH_REWARD_NEXT), *back;
  assert_ok(cel_mdp_save(mdp, path, CEL_MDP_AUTO)); // uniform start over states with actions
  assert_ok(cel_mdp_load(&back, path, CEL_MDP_AUTO, (double)NAN));
  assert_true(back->discount == 0.95 && back->reward_models == 1);
  assert_string_equal(back->reward_chosen->name, "reward");
  assert_memory_equal(back->reward_next, mdp->reward_next, (size_t)mdp->transitions * 8);
  cel_mdp_destroy(back);
  CelMdp *again;
  assert_ok(cel_mdp_load(&back, path, CEL_MDP_AUTO, (double)NAN));
  assert_ok(cel_mdp_save(back, in_folder(state, "own2.umb"), CEL_MDP_AUTO));
  assert_ok(cel_mdp_load(&again, in_folder(state, "own2.umb"), CEL_MDP_AUTO, (double)NAN));
  expect_same_mdp(back, again);
  CelMdp *all[] = {mdp, back, again};
  for (int i = 0; i < 3; i++) cel_mdp_destroy(all[i]);
}

static void texts_keep_everything(void **state) {
  for (uint64_t seed = 1; seed <= 4; seed++) {
    CelMdp *mdp = named_mdp(seed, 13, 0), *chosen, *back;
    assert_ok(cel_mdp_with_reward(mdp, "gain-2", &chosen));
    assert_ok(cel_mdp_save(chosen, in_folder(state, "random.drn"), CEL_MDP_AUTO));
    assert_ok(load(&back, in_folder(state, "random.drn"), "gain-2"));
    CelMdp some = *chosen;
    some.labels = 1; // a text has only labels that some state has
    expect_same(&some, back);
    cel_mdp_destroy(back);
    assert_ok(cel_mdp_save(chosen, in_folder(state, "random.tra"), CEL_MDP_STORM));
    assert_ok(load(&back, in_folder(state, "random.tra"), "gain-2")); // detected as Storm's
    assert_true(back->states == mdp->states && back->pairs == mdp->pairs);
    for (int64_t p = 0; p < mdp->pairs; p++)
      assert_true(fabs(back->reward[p] - chosen->reward[p]) < 1e-15);
    assert_memory_equal(back->probability, mdp->probability, (size_t)mdp->transitions * 8);
    assert_int_equal(back->labels, 3);
    CelMdp *all[] = {back, chosen, mdp};
    for (int i = 0; i < 3; i++) cel_mdp_destroy(all[i]);
  }
}

static void petsc_keeps_rows(void **state) {
  const char *path = in_folder(state, "r.petsc");
  for (int with = 0; with <= WITH_REWARD_NEXT; with++) {
    CelRng rng = cel_rng(3, CEL_RNG_USER, (uint32_t)with);
    CelMdpBuilder *b = builder_of(5, 0.95, 0);
    for (int64_t s = 0; s < 5; s++)
      for (int64_t a = 0; a < 3; a++) add_random_pair(b, &rng, 5, s, a, with);
    assert_ok(cel_mdp_start(b, 1, 0.25));
    assert_ok(cel_mdp_start(b, 3, 0.75));
    CelMdp *mdp = built(b), *back;
    assert_ok(cel_mdp_save(mdp, path, CEL_MDP_AUTO));
    assert_ok(load(&back, path, ""));
    assert_memory_equal(back->probability, mdp->probability, (size_t)mdp->transitions * 8);
    for (int64_t p = 0; p < mdp->pairs; p++)
      assert_true(fabs(back->reward[p] - mdp->reward[p]) < 1e-14); // means over s'
    assert_memory_equal(back->start, mdp->start, 5 * 8);
    expect_same_bytes("reward_next", back->reward_next, mdp->reward_next,
                      (size_t)mdp->transitions * 8);
    cel_mdp_destroy(back);
    cel_mdp_destroy(mdp);
  }
}

static void formats_say_what_they_cannot_express(void **state) {
  CelMdp *mdp = named_mdp(1, 9, WITH_REWARD_NEXT | WITH_NUMBERS);
  const char *petsc = in_folder(state, "no.petsc");
  assert_fails(cel_mdp_save(mdp, in_folder(state, "no.json"), CEL_MDP_AUTO), CEL_E_UNSUPPORTED,
               "gymnasium files cannot keep the problem's 2 labels and 2 reward models");
  assert_fails(cel_mdp_save(mdp, petsc, CEL_MDP_AUTO), CEL_E_UNSUPPORTED, "leave them out");
  assert_fails(cel_mdp_save(mdp, in_folder(state, "no.drn"), CEL_MDP_AUTO), CEL_E_UNSUPPORTED,
               "DRN files have no rewards of transitions, but reward model \"time\" has them");
  assert_fails(cel_mdp_save(mdp, in_folder(state, "no.tra"), CEL_MDP_STORM), CEL_E_UNSUPPORTED,
               "has other numbers; write .umb");
  CelMdp plain = *mdp;
  plain.labels = plain.reward_models = 0;
  assert_fails(cel_mdp_save(&plain, petsc, CEL_MDP_AUTO), CEL_E_UNSUPPORTED,
               "same number of actions, but state 3 has 0");
  assert_ok(cel_mdp_save(&plain, in_folder(state, "yes.json"), CEL_MDP_AUTO));
  plain.horizon = 4;
  assert_fails(cel_mdp_save(&plain, in_folder(state, "no.umb"), CEL_MDP_AUTO), CEL_E_UNSUPPORTED,
               "UMB files have no horizon");
  assert_int_not_equal(access(in_folder(state, "no.umb"), F_OK), 0); // no file was written
  cel_mdp_destroy(mdp);
}

// ---- broken UMB

/// A file of an archive.
typedef struct Part {
  const char *name;
  const void *data;
  size_t size;
} Part;

static CeliOut archive_of(const Part *part, int n) {
  static const uint8_t zeros[CELI_TAR_BLOCK];
  CeliOut out = {.writer = NULL};
  for (int i = 0; i < n; i++) {
    uint8_t block[CELI_TAR_BLOCK];
    celi_tar_header(block, part[i].name, part[i].size);
    celi_out_bytes(&out, block, sizeof block);
    celi_out_bytes(&out, part[i].data, part[i].size);
    celi_out_bytes(&out, zeros, (CELI_TAR_BLOCK - part[i].size % CELI_TAR_BLOCK) % CELI_TAR_BLOCK);
  }
  assert_ok(celi_out_finish(&out));
  return out;
}

#define SYSTEM(time_, players_, type_)                                                             \
  "{\"format-version\": 1, \"transition-system\": {\"time\": \"" time_                             \
  "\", \"#players\": " players_ ", \"#states\": 2, \"#choices\": 2, \"#branches\": 2, "            \
  "\"branch-probability-type\": " type_ "}"
#define DOUBLE "{\"type\": \"double\"}"
#define INDEX(rest_) SYSTEM("discrete", "1", DOUBLE) rest_ "}"

static const uint64_t to[] = {1, 0}, one_each[] = {0, 1, 2}, crossed[] = {0, 2, 1};
static const uint64_t far[] = {1, 2}, late[] = {1, 1, 2}, some_bits[] = {5};
static const double ones[] = {1, 1}, half[] = {0.5, 1}, infinite[] = {1, INFINITY};
#define PART(name_, array_)                                                                        \
  { name_, array_, sizeof array_ }
#define TARGET PART("branch-to-target.bin", to)
#define PROBABILITY PART("branch-to-probability.bin", ones)

static void broken_umb_files(void **state) {
  (void)state;
  const struct {
    const char *index;
    Part part[3];
    CelStatus status;
    const char *message;
  } cases[] = {
      {NULL, {TARGET}, CEL_E_CORRUPT, "u.umb: the archive has no index.json"},
      {"{", {TARGET}, CEL_E_CORRUPT, "index.json is not valid JSON"},
      {"{}", {TARGET}, CEL_E_UNSUPPORTED, "\"format-version\" must be 0 or 1"},
      {"{\"format-version\": 2}", {TARGET}, CEL_E_UNSUPPORTED, "must be 0 or 1"},
      {"{\"format-version\": 1}", {TARGET}, CEL_E_CORRUPT, "no \"transition-system\""},
      {SYSTEM("", "1", DOUBLE) "}", {TARGET}, CEL_E_CORRUPT, "\"time\" must be \"discrete\""},
      {SYSTEM("stochastic", "0", DOUBLE) "}",
       {TARGET},
       CEL_E_UNSUPPORTED,
       "continuous-time Markov"},
      {SYSTEM("stochastic", "1", DOUBLE) "}", {TARGET}, CEL_E_UNSUPPORTED, "continuous-time MDP"},
      {SYSTEM("urgent-stochastic", "1", DOUBLE) "}", {TARGET}, CEL_E_UNSUPPORTED, "automaton"},
      {SYSTEM("discrete", "2", DOUBLE) "}", {TARGET}, CEL_E_UNSUPPORTED, "stochastic game"},
      {SYSTEM("discrete", "1", "{\"type\": \"double-interval\"}") "}",
       {TARGET, PROBABILITY},
       CEL_E_UNSUPPORTED,
       "intervals of probabilities"},
      {SYSTEM("discrete", "1", "{\"type\": \"int\"}") "}",
       {TARGET, PROBABILITY},
       CEL_E_UNSUPPORTED,
       "probabilities have type \"int\"; only \"double\" and \"rational\""},
      {SYSTEM("discrete", "1", "{\"type\": \"rational\", \"size\": 100}") "}",
       {TARGET, PROBABILITY},
       CEL_E_CORRUPT,
       "must be a multiple of 128"},
      {SYSTEM("discrete", "-1", DOUBLE) "}",
       {TARGET},
       CEL_E_CORRUPT,
       "\"#players\" must be a whole"},
      {INDEX(""), {PROBABILITY}, CEL_E_CORRUPT, "branch-to-target.bin is missing"},
      {INDEX(""), {TARGET}, CEL_E_CORRUPT, "branch-to-probability.bin is missing"},
      {INDEX(""),
       {{"branch-to-target.bin", to, 9}, PROBABILITY},
       CEL_E_CORRUPT,
       "branch-to-target.bin has 9 bytes; index.json requires 16"},
      {INDEX(""),
       {TARGET, PROBABILITY, PART("state-to-choices.bin", crossed)},
       CEL_E_CORRUPT,
       "state-to-choices.bin: entry 2 is 1, below the entry before it, 2"},
      {INDEX(""),
       {TARGET, PROBABILITY, PART("choice-to-branches.bin", late)},
       CEL_E_CORRUPT,
       "choice-to-branches.bin goes from 1 to 2; it must go from 0 to 2"},
      {INDEX(""),
       {PART("branch-to-target.bin", far), PROBABILITY},
       CEL_E_CORRUPT,
       "u.umb: state 1, choice 0: next state 2 is out of range; states are 0 to 1"},
      {INDEX(""),
       {TARGET, PART("branch-to-probability.bin", half)},
       CEL_E_RANGE,
       "u.umb: state 0, action 0: the probabilities of its 1 transition sum to 0.5"},
      {INDEX(""),
       {TARGET, PART("branch-to-probability.bin", infinite)},
       CEL_E_NAN,
       "not a finite number"},
      {INDEX(""),
       {TARGET, PROBABILITY, PART("state-is-initial.bin", some_bits)},
       CEL_E_CORRUPT,
       "bit 2 is set, but there are 2 states"},
      {INDEX(", \"annotations\": {\"aps\": {\"A b\": {}}}"),
       {TARGET, PROBABILITY},
       CEL_E_CORRUPT,
       "a label has an invalid identifier"},
      {INDEX(", \"annotations\": {\"rewards\": {\"r\": {\"type\": {\"type\": \"string\"}}}}"),
       {TARGET, PROBABILITY},
       CEL_E_UNSUPPORTED,
       "rewards have type \"string\""},
      {INDEX(", \"annotations\": {\"rewards\": {\"r\": {\"type\": " DOUBLE
             ", \"probability-type\": {}}}}"),
       {TARGET, PROBABILITY},
       CEL_E_UNSUPPORTED,
       "reward model \"r\" has distributions"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Part part[4] = {{"index.json", cases[i].index, cases[i].index ? strlen(cases[i].index) : 0}};
    int n = cases[i].index ? 1 : 0;
    for (int k = 0; k < 3 && cases[i].part[k].name; k++) part[n++] = cases[i].part[k];
    CeliOut out = archive_of(part, n);
    CelMdp *mdp = NULL;
    assert_fails(
        celi_mdp_parse_umb(&mdp, "u.umb", out.text.data, out.text.size, LOAD_DISCOUNT(0.9)),
        cases[i].status, cases[i].message);
    assert_null(mdp);
    celi_text_free(&out.text);
  }
  // the same parts without a fault
  const Part part[] = {{"./index.json", INDEX(""), sizeof INDEX("") - 1},
                       TARGET,
                       PROBABILITY,
                       PART("state-to-choices.bin", one_each)};
  CeliOut out = archive_of(part, 4);
  CelMdp *mdp;
  assert_ok(celi_mdp_parse_umb(&mdp, "u.umb", out.text.data, out.text.size, LOAD_DISCOUNT(0.9)));
  assert_true(mdp->pairs == 2 && cel_mdp_next(mdp, 0) == 1 && mdp->reward[0] == 0);
  cel_mdp_destroy(mdp);
  celi_text_free(&out.text);
}

static void broken_archives(void **state) {
  (void)state;
  CelMdp *mdp = NULL;
  const Part part[] = {{"index.json", INDEX(""), sizeof INDEX("") - 1}, TARGET, TARGET};
  CeliOut out = archive_of(part, 3);
  char *data = out.text.data;
  const size_t size = out.text.size;
#define PARSE(size_) celi_mdp_parse_umb(&mdp, "u.umb", data, size_, LOAD_DISCOUNT(0.9))
  assert_fails(PARSE(size), CEL_E_CORRUPT, "has two files \"branch-to-target.bin\"");
  assert_fails(PARSE(600), CEL_E_CORRUPT, "a file is longer than the archive, which is cut short");
  assert_fails(PARSE(100), CEL_E_CORRUPT, "the archive has no files");
  data[0] ^= 1;
  assert_fails(PARSE(size), CEL_E_CORRUPT, "byte 0 of the tar archive: the checksum of a header");
  data[0] ^= 1;
  celi_text_free(&out.text);
}

/// Compressed files that are cut short, damaged or too large.
static void broken_compression(void **state) {
  for (CeliPacking packing = CELI_GZIP; packing <= CELI_XZ; packing++) {
    if (celi_packing_check(packing) != CEL_OK) continue;
    const char *name = packing == CELI_GZIP ? "gzip" : "xz";
    const char *path = in_folder(state, packing == CELI_GZIP ? "b.umb.gz" : "b.umb.xz");
    CelMdp *mdp = named_mdp(2, 9, 0), *back = NULL;
    char message[64], *data;
    size_t size;
    assert_ok(cel_mdp_save(mdp, path, CEL_MDP_AUTO));
    cel_mdp_destroy(mdp);
    assert_ok(celi_file_read(path, SIZE_MAX / 4, &data, &size));
    snprintf(message, sizeof message, "u: the %s data are cut short", name);
    assert_fails(celi_mdp_parse_umb(&back, "u", data, size - 20, LOAD_DISCOUNT(0.9)), CEL_E_CORRUPT,
                 message);
    data[size / 2] ^= 0x55;
    snprintf(message, sizeof message, "u: the %s data are", name);
    assert_fails(celi_mdp_parse_umb(&back, "u", data, size, LOAD_DISCOUNT(0.9)), CEL_E_CORRUPT,
                 message);
    free(data);
  }
}

/// A file of some 20 KB that holds 160 MiB of zeros is refused: the limit is 64 MiB + 2000 * size.
static void bombs_are_limited(void **state) {
  (void)state;
  if (celi_packing_check(CELI_XZ) != CEL_OK) skip();
  static const uint8_t zeros[1 << 20];
  CeliOut out = {.writer = NULL};
  CeliPacker *packer;
  CeliText bomb = {0};
  assert_ok(celi_packer_create(&packer, CELI_XZ, &out));
  for (int i = 0; i < 16; i++) celi_packer_put(packer, zeros, sizeof zeros);
  celi_packer_finish(packer);
  celi_packer_destroy(packer);
  assert_ok(celi_out_finish(&out));
  for (int i = 0; i < 10; i++) celi_text_add(&bomb, out.text.data, out.text.size); // xz files join
  assert_ok(celi_text_status(&bomb));
  assert_true(bomb.size < (40 << 10));
  uint8_t *data = NULL;
  size_t size = 0;
  const uint8_t *bytes = (const uint8_t *)bomb.data;
  assert_ok(celi_unpack("small", bytes, out.text.size, &data, &size));
  assert_int_equal(size, 16 << 20);
  free(data);
  assert_fails(celi_unpack("bomb", bytes, bomb.size, &data, &size), CEL_E_CORRUPT,
               "bomb: the compressed file holds more than");
  celi_text_free(&out.text);
  celi_text_free(&bomb);
}

static double rational(int64_t numerator, uint64_t denominator) {
  double out = (double)NAN;
  assert_true(
      celi_umb_rational((const uint8_t *)&numerator, (const uint8_t *)&denominator, 8, &out));
  return out;
}

static void rationals_are_rounded_within_the_bound(void **state) {
  (void)state;
  double out;
  assert_true(rational(1, 3) == 1.0 / 3.0 && rational(-7, 8) == -0.875 && rational(0, 5) == 0.0);
  assert_true(rational(INT64_MIN, UINT64_C(1) << 63) == -1.0);
  CelRng rng = cel_rng(4, CEL_RNG_USER, 0);
  for (int i = 0; i < 10000; i++) {
    const int64_t a = (int64_t)(cel_rng_below(&rng, UINT64_MAX) >> (1 + i % 60));
    const uint64_t b = (cel_rng_below(&rng, UINT64_MAX) >> (i % 61)) | 1;
    const long double exact = (long double)a / (long double)b;
    if (fabsl((long double)rational(a, b) - exact) > 4.0L * 0x1p-53L * fabsl(exact))
      fail_msg("%lld / %llu", (long long)a, (unsigned long long)b);
  }
  // 256-bit numbers: (2^200 + 1) / (3 * 2^200)
  uint8_t a[32] = {1}, b[32] = {0}, none[32] = {0};
  a[25] = 1;
  b[25] = 3;
  assert_true(celi_umb_rational(a, b, 32, &out));
  assert_true(fabs(out - 1.0 / 3.0) <= 4 * 0x1p-53 / 3);
  assert_false(celi_umb_rational(a, none, 32, &out));
  // -2^200 / 2^200
  memset(a, 0, sizeof a);
  memset(a + 25, 0xff, 7);
  b[25] = 1;
  assert_true(celi_umb_rational(a, b, 32, &out) && out == -1.0);
}

// ---- broken texts

#define HEAD "@type: MDP\n@reward_models\nr q\n@nr_states\n2\n@model\n"
#define STATE0 "state 0 init\n action 0\n  1 : 1\n"

static void broken_drn_files(void **state) {
  (void)state;
  static const struct {
    const char *text;
    CelStatus status;
    const char *message;
  } cases[] = {
      {"", CEL_E_CORRUPT, "the text ends before @model"},
      {"@type: CTMC\n", CEL_E_UNSUPPORTED,
       "d.drn: line 1: the model is of type \"CTMC\"; only MDP"},
      {"@value_type: double-interval\n", CEL_E_UNSUPPORTED, "only double and rational"},
      {"@parameters\np q\n", CEL_E_UNSUPPORTED, "line 2: the model has parameters, p q; set them"},
      {"@nr_states\n2\n@model\n", CEL_E_CORRUPT, "line 3: @type: is missing before @model"},
      {"@type: MDP\n@model\n", CEL_E_CORRUPT, "@nr_states must be at least 1"},
      {"@type: MDP\n@nr_states\n-1\n", CEL_E_CORRUPT, "line 3: @nr_states \"-1\" is not a whole"},
      {"@type: MDP\n@wrong\n", CEL_E_CORRUPT,
       "line 2: found \"@wrong\" where an entry of the header"},
      {"@placeholders\n$p 3\n", CEL_E_CORRUPT, "a placeholder, $NAME : VALUE, should be"},
      {"@placeholders\n$p : 1/0\n", CEL_E_CORRUPT, "1/0 is not a finite number"},
      {"@placeholders\n$p : 1\n$p : 2\n", CEL_E_CORRUPT, "placeholder $p appears twice"},
      {HEAD "state 1\n", CEL_E_CORRUPT, "line 7: state 1 comes after state -1; states must ascend"},
      {HEAD "action 0\n", CEL_E_CORRUPT, "an action comes before the first state"},
      {HEAD "0 : 1\n", CEL_E_CORRUPT, "a transition comes before the first state"},
      {HEAD "state 0 [1, x]\n", CEL_E_CORRUPT, "a reward \"x\" is not a number"},
      {HEAD "state 0 [1\n", CEL_E_CORRUPT, "the bracket of the rewards is not closed"},
      {HEAD "state 0 \"a\n", CEL_E_CORRUPT, "the quote of a label is not closed"},
      {HEAD "state 0\n action 0\nstate 1\n", CEL_E_CORRUPT, "has an action without a transition"},
      {HEAD STATE0 "  what\n", CEL_E_CORRUPT, "line 10: found \"what\" where \"state\""},
      {HEAD STATE0 "  2 : 1\n", CEL_E_CORRUPT, "the next state 2 is out of range"},
      {HEAD STATE0 "  0 : 2\n", CEL_E_CORRUPT, "the probability 2 is not in [0, 1]"},
      {HEAD STATE0 "  0 : $p\n", CEL_E_CORRUPT, "$p is not declared in @placeholders"},
      {HEAD STATE0, CEL_E_CORRUPT,
       "@nr_states is 2, but the text has 1 states; it may be cut short"},
      {HEAD STATE0 "state 1\n action 0\n 0 : 0.5\n", CEL_E_RANGE, "state 1, action 0: the prob"},
      {"@nr_choices\n3\n" HEAD STATE0 "state 1\n", CEL_E_CORRUPT, "but the text has 1 actions"},
      {"@type: MDP\n@nr_states\n99999999999999\n@model\n", CEL_E_MEMORY, "that many states"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CelMdp *mdp = NULL;
    assert_fails(
        celi_mdp_parse_drn(&mdp, "d.drn", cases[i].text, strlen(cases[i].text), LOAD_DISCOUNT(0.9)),
        cases[i].status, cases[i].message);
    assert_null(mdp);
  }
}

static void drn_reads_all_that_storm_writes(void **state) {
  (void)state;
  static const char text[] =
      "// made by hand\r\n@type: POMDP\n@value_type: rational\n@parameters\n\n"
      "@placeholders\n$half : 1/2\n@reward_models\ntime\n@nr_states\n3\n"
      "@nr_choices\n3\n@model\n"
      "state 0 {7} [1/4, 2] init \"all coins\" goal\n"
      "\taction go [-3]\n\t\t1 : $half\n\t\t2 : 1/2\n"
      "\taction __NOLABEL__\n\t\t0 : 1\n"
      "state 1 {0}\n"
      "state 2 {0} deadlock\n\t\t2 : 1\n";
  CelMdpLoadOptions options = cel_mdp_load_options_default();
  CelMdp *mdp;
  options.discount = 0.9;
  strcpy(options.reward, "time");
  assert_ok(celi_mdp_parse_drn(&mdp, "d.drn", text, sizeof text - 1, &options));
  assert_true(mdp->states == 3 && mdp->pairs == 2 && mdp->transitions == 3);
  assert_true(mdp->probability[0] == 0.5 && mdp->reward[0] == 0.25 - 3 && mdp->reward[1] == 0.25);
  assert_true(mdp->reward_models == 2 && mdp->reward_model[1].state[0] == 2);
  assert_string_equal(mdp->reward_model[1].name, "rew1");
  assert_non_null(strstr(mdp->left_out, "observations"));
  uint8_t in[3];
  assert_ok(cel_mdp_states_where(mdp, "\"all coins\" & goal & init", in, NULL));
  assert_true(in[0] && !in[1] && !in[2]);
  cel_mdp_destroy(mdp);
}

static CelStatus parse_storm(CelMdp **out, const char *tra, const char *trans, const char *states,
                             const char *lab) {
  const CeliPrismReward reward = {.name = "r",
                                  .path = {"r.trans.rew", "r.state.rew"},
                                  .data = {trans, states},
                                  .size = {trans ? strlen(trans) : 0, states ? strlen(states) : 0}};
  const CeliPrismTexts texts = {.path = {"s.tra", NULL, NULL, "s.lab"},
                                .data = {tra, NULL, NULL, lab},
                                .size = {strlen(tra), 0, 0, lab ? strlen(lab) : 0},
                                .reward = &reward,
                                .rewards = trans || states};
  return celi_mdp_parse_storm(out, &texts, LOAD_DISCOUNT(0.9));
}

#define TRA "mdp\n0 0 1 0.5\n0 0 2 0.5\n1 0 0 1\n"

static void broken_storm_files(void **state) {
  (void)state;
  static const struct {
    const char *tra, *trans, *states, *lab;
    CelStatus status;
    const char *message;
  } cases[] = {
      {"", 0, 0, 0, CEL_E_CORRUPT, "s.tra: line 1: the file is empty"},
      {"ctmc\n0 1 2\n", 0, 0, 0, CEL_E_UNSUPPORTED,
       "the model is of type \"ctmc\"; only mdp and dtmc"},
      {"mdp\n", 0, 0, 0, CEL_E_CORRUPT, "the file has no transition"},
      {"mdp\n0 0 1\n", 0, 0, 0, CEL_E_CORRUPT,
       "line 2: the line has 3 words; it should be \"state ch"},
      {"dtmc\n0 0 1 1\n", 0, 0, 0, CEL_E_CORRUPT, "it should be \"state next-state number\""},
      {"mdp\n0 0 1 2\n", 0, 0, 0, CEL_E_CORRUPT, "probability 2 is not in [0, 1]"},
      {"mdp\n1 0 0 1\n0 0 1 1\n", 0, 0, 0, CEL_E_CORRUPT, "state 0, choice 0 comes after state 1"},
      {"mdp\n0 1 0 1\n", 0, 0, 0, CEL_E_CORRUPT, "state 0 has choice 1, but no choice 0"},
      {"mdp\n0 0 0 0.5\n", 0, 0, 0, CEL_E_RANGE, "sum to 0.5"},
      {"mdp\n0 0 99999999999999 1\n", 0, 0, 0, CEL_E_MEMORY, "that many states"},
      {TRA, "0 0 0 1\n", 0, 0, CEL_E_CORRUPT,
       "r.trans.rew: line 1: state 0, choice 0: there is no"},
      {TRA, "2 0 0 1\n", 0, 0, CEL_E_CORRUPT, "there is no transition to state 0"},
      {TRA, 0, "3 1\n", 0, CEL_E_CORRUPT, "r.state.rew: line 1: state 3 is out of range"},
      {TRA, 0, "2 1\n", 0, CEL_E_CORRUPT, "state 2 has a reward, but no choice"},
      {TRA, 0, 0, "init\n", CEL_E_CORRUPT,
       "s.lab: line 1: the file should begin with #DECLARATION"},
      {TRA, 0, 0, "#DECLARATION\ninit\n", CEL_E_CORRUPT, "#END is missing"},
      {TRA, 0, 0, "#DECLARATION\na a\n#END\n", CEL_E_CORRUPT, "label \"a\" appears twice"},
      {TRA, 0, 0, "#DECLARATION\na\n#END\n0 b\n", CEL_E_CORRUPT, "line 4: state 0 has label \"b\""},
      {TRA, 0, 0, "#DECLARATION\na\n#END\n7 a\n", CEL_E_CORRUPT, "state 7 is out of range"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CelMdp *mdp = NULL;
    assert_fails(parse_storm(&mdp, cases[i].tra, cases[i].trans, cases[i].states, cases[i].lab),
                 cases[i].status, cases[i].message);
    assert_null(mdp);
  }
}

static void storm_reads_all_forms(void **state) {
  (void)state;
  CelMdp *mdp;
  assert_ok(parse_storm(&mdp, TRA, "0 0 2 3\n", "\n \t0   1\n",
                        "#DECLARATION\ninit goal\n#END\n1 init\n2 goal\n"));
  assert_true(mdp->states == 3 && mdp->pairs == 2 && mdp->start[1] == 1);
  assert_true(mdp->reward_next[0] == 1 && mdp->reward_next[1] == 4 && mdp->reward[0] == 2.5);
  assert_true(mdp->labels == 1 && mdp->label[0].in[2] == 1);
  cel_mdp_destroy(mdp);
  assert_ok(parse_storm(&mdp, "dTmC\n0 0 0.25\n0 2 0.75\n", "0 2 4\n", NULL, NULL));
  assert_true(mdp->states == 3 && mdp->pairs == 1 && mdp->start[0] == 1 && mdp->reward[0] == 3);
  cel_mdp_destroy(mdp);
  assert_ok(parse_storm(&mdp, "0 0 0 1\n0 1 1 1\n1 0 1 1\n", NULL, NULL, NULL)); // no first line
  assert_true(mdp->states == 2 && mdp->max_actions == 2);
  cel_mdp_destroy(mdp);
}

// ---- broken PETSc

static size_t put_big_endian(uint8_t *data, size_t at, const int32_t *list, int n) {
  for (int i = 0; i < n; i++)
    for (int k = 0; k < 4; k++) data[at++] = (uint8_t)((uint32_t)list[i] >> (24 - 8 * k));
  return at;
}

static void broken_petsc_files(void **state) {
  (void)state;
  // a matrix of 2 rows and columns, one entry of 1 in each row
  const int32_t good[] = {1211216, 2, 2, 2, 1, 1, 1, 0, 0x3ff00000, 0, 0x3ff00000, 0};
  static const struct {
    int at;
    int32_t value;
    const char *message;
  } cases[] = {{0, 7, "byte 0: the file does not begin with a PETSc matrix"},
               {1, 3, "3 rows and 2 columns; the rows must be a multiple"},
               {1, -1, "a matrix of -1 rows"},
               {2, 0, "0 columns"},
               {3, -2, "-2 entries"},
               {3, 99, "the rows have 2 entries, but the matrix has 99"},
               {4, 5, "row 0 has 5 entries, too many"},
               {4, -1, "row 0 has -1 entries"},
               {6, 2, "byte 24: column 2 is out of range; columns are 0 to 1"},
               {8, 0x7ff00000, "byte 32: the number is not finite"},
               {8, 0x3fe00000, "sum to 0.5"},
               {1, 2000000000, "2000000000 row lengths should follow, but the file ends after"}};
  const CeliPetscFile none = {.name = "g.bin"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int32_t bad[12];
    uint8_t data[64];
    CelMdp *mdp = NULL;
    memcpy(bad, good, sizeof bad);
    bad[cases[i].at] = cases[i].value;
    const CeliPetscFile file = {"P.bin", data, put_big_endian(data, 0, bad, 12)};
    const CelStatus status = celi_mdp_parse_petsc(&mdp, &file, &none, LOAD_DISCOUNT(0.9));
    if (cases[i].at == 1 && cases[i].value == 3)
      assert_int_equal(status, CEL_E_CORRUPT);
    else
      assert_fails(status, status == CEL_E_RANGE ? CEL_E_RANGE : CEL_E_CORRUPT, cases[i].message);
  }
  uint8_t data[128];
  CelMdp *mdp = NULL;
  size_t n = put_big_endian(data, 0, good, 12);
  const CeliPetscFile cut = {"P.bin", data, n - 1};
  assert_fails(celi_mdp_parse_petsc(&mdp, &cut, &none, LOAD_DISCOUNT(0.9)), CEL_E_CORRUPT,
               "2 numbers should follow, but the file ends after 15 bytes");
  const int32_t costs[] = {1211216, 1, 1, -1, 0, 0};
  n = put_big_endian(data, n, costs, 6);
  const CeliPetscFile two = {"P.bin", data, n};
  assert_fails(celi_mdp_parse_petsc(&mdp, &two, &none, LOAD_DISCOUNT(0.9)), CEL_E_CORRUPT,
               "the rewards have 1 rows and 1 columns; they must have 2 and 1");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(umb_keeps_everything),
      cmocka_unit_test(umb_keeps_discount_and_own_rewards),
      cmocka_unit_test(texts_keep_everything),
      cmocka_unit_test(petsc_keeps_rows),
      cmocka_unit_test(formats_say_what_they_cannot_express),
      cmocka_unit_test(broken_umb_files),
      cmocka_unit_test(broken_archives),
      cmocka_unit_test(broken_compression),
      cmocka_unit_test(bombs_are_limited),
      cmocka_unit_test(rationals_are_rounded_within_the_bound),
      cmocka_unit_test(broken_drn_files),
      cmocka_unit_test(drn_reads_all_that_storm_writes),
      cmocka_unit_test(broken_storm_files),
      cmocka_unit_test(storm_reads_all_forms),
      cmocka_unit_test(broken_petsc_files),
  };
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
