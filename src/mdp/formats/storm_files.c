/// Finds, reads and writes Storm's explicit files of an MDP: NAME.tra, NAME.lab, and for each
/// reward model NAME.MODEL.trans.rew and NAME.MODEL.state.rew. Without a model's name it is
/// "reward": NAME.trans.rew, NAME.state.rew, or NAME.trew, NAME.srew.
#include "base/base.h"
#include "mdp/formats/explicit.h"
#include "mdp/formats/storm.h"
#include "mdp/model.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char *const endings[] = {".trans.rew", ".state.rew", ".trew", ".srew"};

typedef struct Files {
  char *stem; ///< the path without .tra or .lab
  char *tra, *lab;
  CeliPrismReward *reward; ///< (n,) paths only, until they are read
  int64_t n, capacity;
} Files;

static CelStatus join(char **out, const char *a, const char *b, const char *c, const char *d) {
  const size_t room = strlen(a) + strlen(b) + strlen(c) + strlen(d) + 1;
  CELI_TRY(celi_alloc(out, room, 1, "a path"));
  snprintf(*out, room, "%s%s%s%s", a, b, c, d);
  return CEL_OK;
}

static CelStatus make_stem(const char *path, char **out) {
  size_t n = strlen(path);
  if (n > 4 && (strcmp(path + n - 4, ".tra") == 0 || strcmp(path + n - 4, ".lab") == 0)) n -= 4;
  CELI_TRY(celi_alloc(out, n + 1, 1, "a path"));
  memcpy(*out, path, n);
  (*out)[n] = 0;
  return CEL_OK;
}

static void files_free(Files *files) {
  for (int64_t i = 0; i < files->n; i++) {
    for (int k = 0; k < 2; k++) {
      free((void *)files->reward[i].path[k]);
      free((void *)files->reward[i].data[k]);
    }
  }
  free(files->reward);
  free(files->stem);
  free(files->tra);
  free(files->lab);
}

/// Adds the file of rewards `name` in the folder if it belongs to the stem. `base` is the stem
/// without its folder.
static CelStatus add_file(Files *files, const char *base, const char *name) {
  const size_t n = strlen(base), length = strlen(name);
  int which = 0;
  if (length <= n || strncmp(name, base, n) != 0 || name[n] != '.') return CEL_OK;
  for (; which < 4; which++) {
    const size_t end = strlen(endings[which]);
    if (length >= n + end && strcmp(name + length - end, endings[which]) == 0) break;
  }
  if (which == 4) return CEL_OK;
  const char *from = name + n, *to = name + length - strlen(endings[which]);
  if (to > from && which >= 2) return CEL_OK;
  char model[CEL_TEXT_MAX] = "reward";
  if (to > from) { // ".MODEL"
    from++;
    if ((size_t)(to - from) >= sizeof model || to == from) return CEL_OK;
    memset(model, 0, sizeof model);
    memcpy(model, from, (size_t)(to - from));
    if (memchr(model, '.', sizeof model)) return CEL_OK; // of another problem
  }
  CeliPrismReward *reward = NULL;
  for (int64_t i = 0; i < files->n; i++)
    if (strcmp(files->reward[i].name, model) == 0) reward = &files->reward[i];
  if (!reward) {
    CELI_TRY(
        celi_grow(&files->reward, &files->capacity, files->n + 1, sizeof *reward, "reward models"));
    reward = &files->reward[files->n++];
    *reward = (CeliPrismReward){.size = {0, 0}};
    memcpy(reward->name, model, sizeof model);
  }
  char *path;
  if (reward->path[which % 2]) {
    return cel_fail(CEL_E_CORRUPT, "%s: two files have rewards \"%s\": %s and %s; remove one",
                    files->tra, model, reward->path[which % 2], name);
  }
  CELI_TRY(join(&path, files->stem, name + n, "", ""));
  reward->path[which % 2] = path;
  return CEL_OK;
}

static int compare(const void *a, const void *b) {
  return strcmp(((const CeliPrismReward *)a)->name, ((const CeliPrismReward *)b)->name);
}

static CelStatus find_files(Files *files, const char *path) {
  CELI_TRY(make_stem(path, &files->stem));
  CELI_TRY(join(&files->tra, files->stem, ".tra", "", ""));
  CELI_TRY(join(&files->lab, files->stem, ".lab", "", ""));
  const char *slash = strrchr(files->stem, '/'), *base = slash ? slash + 1 : files->stem;
  char *folder = slash ? strndup(files->stem, (size_t)(slash - files->stem + 1)) : strdup(".");
  if (!folder) return cel_fail(CEL_E_MEMORY, "not enough memory for a path");
  CelStatus status = CEL_OK;
  DIR *dir = opendir(folder);
  if (!dir) status = celi_fail_errno(folder, "cannot be searched for rewards", errno);
  for (const struct dirent *entry; dir && status == CEL_OK && (entry = readdir(dir));)
    status = add_file(files, base, entry->d_name);
  if (dir) closedir(dir);
  free(folder);
  if (files->n > 1) qsort(files->reward, (size_t)files->n, sizeof *files->reward, compare);
  return status;
}

static CelStatus read_files(CeliPrismTexts *texts, Files *files) {
  char *data;
  texts->path[0] = files->tra;
  texts->path[3] = files->lab;
  CELI_TRY(celi_text_read(files->tra, &data, &texts->size[0]));
  texts->data[0] = data;
  if (access(files->lab, F_OK) == 0) {
    CELI_TRY(celi_text_read(files->lab, &data, &texts->size[3]));
    texts->data[3] = data;
  }
  for (int64_t i = 0; i < files->n; i++) {
    for (int k = 0; k < 2; k++) {
      if (!files->reward[i].path[k]) continue;
      CELI_TRY(celi_text_read(files->reward[i].path[k], &data, &files->reward[i].size[k]));
      files->reward[i].data[k] = data;
    }
  }
  texts->reward = files->reward;
  texts->rewards = files->n;
  return CEL_OK;
}

static CelStatus load(CelMdp **out, const char *path, const CelMdpLoadOptions *options) {
  Files files = {.stem = NULL};
  CeliPrismTexts texts = {.rewards = 0};
  CelStatus status = find_files(&files, path);
  if (status == CEL_OK) status = read_files(&texts, &files);
  if (status == CEL_OK) status = celi_mdp_parse_storm(out, &texts, options);
  free((void *)texts.data[0]);
  free((void *)texts.data[3]);
  files_free(&files);
  return status;
}

// ---- writing

typedef struct Output {
  int which; ///< of celi_mdp_emit_storm
  const CelMdpReward *model;
  char *path;
  CeliWriter writer;
} Output;

typedef struct Outputs {
  Output *file; ///< (n,) .tra is first
  int64_t n;
} Outputs;

static CelStatus add_output(Outputs *outputs, int which, const CelMdpReward *model,
                            const char *stem, const char *ending) {
  Output *file = &outputs->file[outputs->n];
  *file = (Output){.which = which, .model = model, .writer = {.fd = -1}};
  CELI_TRY(join(&file->path, stem, model ? "." : "", model ? model->name : "", ending));
  outputs->n++;
  return CEL_OK;
}

static CelStatus list_outputs(Outputs *outputs, const CeliExplicitNames *names, const char *stem) {
  CELI_TRY(celi_calloc(&outputs->file, (size_t)(2 * names->rewards + 2), sizeof *outputs->file,
                       "files"));
  CELI_TRY(add_output(outputs, 0, NULL, stem, ".tra"));
  CELI_TRY(add_output(outputs, 3, NULL, stem, ".lab"));
  for (int64_t i = 0; i < names->rewards; i++) {
    const CelMdpReward *model = &names->reward[i];
    const bool transitions = model->pair || model->transition;
    if (transitions) CELI_TRY(add_output(outputs, 1, model, stem, endings[0]));
    if (model->state || !transitions) CELI_TRY(add_output(outputs, 2, model, stem, endings[1]));
  }
  return CEL_OK;
}

/// Fails if a file of rewards exists that would belong to the new .tra file but is not replaced.
static CelStatus check_left_over(const Outputs *outputs, const char *path) {
  Files files = {.stem = NULL};
  CelStatus status = find_files(&files, path);
  for (int64_t i = 0; status == CEL_OK && i < 2 * files.n; i++) {
    const char *old = files.reward[i / 2].path[i % 2];
    bool replaced = old == NULL;
    for (int64_t k = 0; k < outputs->n && !replaced; k++)
      replaced = strcmp(outputs->file[k].path, old) == 0;
    if (!replaced)
      status = cel_fail(CEL_E_ARGUMENT,
                        "%s exists and would become a reward model of %s; remove it, or write to "
                        "another name",
                        old, outputs->file[0].path);
  }
  files_free(&files);
  return status;
}

/// Writes all files before replacing any existing one. Replaces .tra last.
static CelStatus write_files(Outputs *outputs, const CelMdp *mdp) {
  for (int64_t i = 0; i < outputs->n; i++) {
    Output *file = &outputs->file[i];
    CELI_TRY(celi_writer_open(&file->writer, file->path));
    CeliOut out = {.writer = &file->writer};
    celi_mdp_emit_storm(&out, mdp, file->which, file->model);
    CELI_TRY(celi_out_finish(&out));
  }
  for (int64_t i = outputs->n - 1; i >= 0; i--)
    CELI_TRY(celi_writer_close(&outputs->file[i].writer));
  return CEL_OK;
}

static CelStatus save(const CelMdp *mdp, const char *path) {
  Outputs outputs = {.file = NULL};
  CeliExplicitNames names;
  char *stem = NULL;
  CELI_TRY(cel_fail_in(celi_mdp_check_storm(mdp), "%s: ", path));
  CelStatus status = celi_explicit_names(mdp, &names);
  if (status == CEL_OK) status = make_stem(path, &stem);
  if (status == CEL_OK) status = list_outputs(&outputs, &names, stem);
  if (status == CEL_OK) status = check_left_over(&outputs, path);
  if (status == CEL_OK) status = write_files(&outputs, mdp);
  for (int64_t i = 0; i < outputs.n; i++) {
    celi_writer_abandon(&outputs.file[i].writer); // those that were not closed
    free(outputs.file[i].path);
  }
  free(outputs.file);
  free(stem);
  celi_explicit_names_free(&names);
  return status;
}

/// True if the first word is a type, if the first line has four numbers, or for the beginning of
/// .lab.
static bool sniff(const char *data, size_t size) {
  CeliScan scan = celi_scan("", data, size);
  CeliWord word[4];
  int count;
  int64_t n;
  if (size >= 12 && memcmp(data, "#DECLARATION", 12) == 0) return true;
  if (!celi_scan_line(&scan, word, 4, &count)) return false;
  if (count == 4) {
    for (int i = 0; i < 3; i++)
      if (celi_word_index(word[i], &n) == CELI_NUMBER_JUNK) return false;
    return true;
  }
  static const char *const types[] = {"mdp", "dtmc", "ctmc", "ma"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    const size_t length = strlen(types[i]);
    if (count == 1 && word[0].n == length && strncasecmp(word[0].text, types[i], length) == 0)
      return true;
  }
  return false;
}

const CeliMdpFormat celi_mdp_format_storm = {
    .info = {CEL_MDP_STORM,
             "storm",
             "Storm's explicit transitions (first line mdp), with .lab and .rew files beside them",
             {".tra"},
             {".lab"}},
    .named_rewards = true,
    .labels = true,
    .sniff = sniff,
    .load = load,
    .save = save};
