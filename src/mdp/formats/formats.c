/// Which format a file has, by its name or its first bytes, and the reader or writer for it.
#include "mdp/formats/formats.h"
#include "base/arguments.h"
#include "base/base.h"
#include "mdp/model.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENDINGS ".safetensors, .json, .mdp, .pomdp or .tra"

static CelMdpFormat by_name(const char *path) {
  static const struct {
    const char *ending;
    CelMdpFormat format;
  } known[] = {{".safetensors", CEL_MDP_SAFETENSORS},
               {".json", CEL_MDP_GYMNASIUM},
               {".mdp", CEL_MDP_CASSANDRA},
               {".pomdp", CEL_MDP_CASSANDRA},
               {".tra", CEL_MDP_PRISM},
               {".trew", CEL_MDP_PRISM},
               {".srew", CEL_MDP_PRISM},
               {".lab", CEL_MDP_PRISM}};
  const char *dot = strrchr(path, '.');
  for (size_t i = 0; dot && i < sizeof known / sizeof *known; i++) {
    if (strcasecmp(dot, known[i].ending) == 0) return known[i].format;
  }
  return CEL_MDP_AUTO;
}

/// Three whole numbers: the first line of a .tra file.
static bool is_prism(CeliScan scan) {
  CeliWord word[3];
  int count;
  int64_t n;
  if (!celi_scan_line(&scan, word, 3, &count) || count != 3) return false;
  for (int i = 0; i < 3; i++) {
    if (celi_word_index(word[i], &n) == CELI_NUMBER_JUNK) return false;
  }
  return true;
}

/// A statement of the preamble.
static bool is_cassandra(CeliScan scan) {
  static const char *const keys[] = {"discount", "values", "states", "actions", "observations"};
  celi_scan_blank(&scan, '#');
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    const size_t n = strlen(keys[i]);
    CeliScan rest = scan;
    if ((size_t)(scan.end - scan.at) <= n || memcmp(scan.at, keys[i], n) != 0) continue;
    rest.at += n;
    celi_scan_blank(&rest, '#');
    if (rest.at < rest.end && *rest.at == ':') return true;
  }
  return false;
}

static CelMdpFormat by_bytes(const char *data, size_t size) {
  CeliScan scan = celi_scan("", data, size);
  if (size > 8 && data[8] == '{' && data[7] == 0) return CEL_MDP_SAFETENSORS;
  if (is_prism(scan)) return CEL_MDP_PRISM;
  if (is_cassandra(scan)) return CEL_MDP_CASSANDRA;
  celi_scan_blank(&scan, 0);
  return scan.at < scan.end && *scan.at == '{' ? CEL_MDP_GYMNASIUM : CEL_MDP_AUTO;
}

/// The first bytes of a file, as many as there are and fit.
static CelStatus read_beginning(const char *path, char *data, size_t room, size_t *size) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return celi_fail_errno(path, "cannot be opened", errno);
  *size = 0;
  for (ssize_t n = 1; n > 0 && *size < room;) {
    n = read(fd, data + *size, room - *size);
    if (n < 0 && errno == EINTR) {
      n = 1;
      continue;
    }
    if (n < 0) {
      const int error = errno;
      close(fd);
      return celi_fail_errno(path, "cannot be read", error);
    }
    *size += (size_t)n;
  }
  close(fd);
  return CEL_OK;
}

static CelStatus find_format(const char *path, CelMdpFormat *format) {
  char data[4096];
  size_t size = 0;
  struct stat info;
  if (*format == CEL_MDP_AUTO) *format = by_name(path);
  if (*format != CEL_MDP_AUTO) return CEL_OK;
  if (stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
    return cel_fail(
        CEL_E_FORMAT,
        "%s: a pipe or device can be read only once, so its first bytes cannot tell what "
        "it is: give its format",
        path);
  }
  CELI_TRY(read_beginning(path, data, sizeof data, &size));
  *format = by_bytes(data, size);
  if (*format != CEL_MDP_AUTO) return CEL_OK;
  return cel_fail(CEL_E_FORMAT,
                  "%s: neither its name nor its first bytes are those of a finite problem; the "
                  "name may end in " ENDINGS,
                  path);
}

CelStatus celi_load_choose(const char *file, const CelMdpLoadOptions *options, double *discount,
                           int64_t *horizon) {
  if (options->horizon < -1) {
    return cel_fail(CEL_E_RANGE,
                    "%s: horizon %" PRId64 " is out of range: give a number of steps, 0 (infinite) "
                    "or -1 (the file's own)",
                    file, options->horizon);
  }
  if (options->horizon >= 0) *horizon = options->horizon;
  if (!isnan(options->discount)) *discount = options->discount;
  if (!isnan(*discount)) return CEL_OK;
  return cel_fail(CEL_E_RANGE, "%s: the file has no discount: give gamma, at least 0 and below 1",
                  file);
}

CelMdpLoadOptions cel_mdp_load_options_default(void) {
  return (CelMdpLoadOptions){.format = CEL_MDP_AUTO, .discount = (double)NAN, .horizon = -1};
}

CelStatus cel_mdp_load(CelMdp **out, const char *path, CelMdpFormat format, double discount) {
  CELI_NEED(out);
  CELI_NEED(path);
  CELI_FLOATS(CELI_IEEE);
  CelMdpLoadOptions options = cel_mdp_load_options_default();
  options.format = format;
  options.discount = discount;
  return cel_mdp_load_with(out, path, &options);
}

static CelStatus check_reward_option(const char *path, const CelMdpLoadOptions *options,
                                     CelMdpFormat format) {
  if (memchr(options->reward, 0, sizeof options->reward) == NULL) {
    return cel_fail(CEL_E_ARGUMENT, "the name of the reward structure has no end");
  }
  if (options->reward[0] == 0 || format == CEL_MDP_PRISM) return CEL_OK;
  return cel_fail(
      CEL_E_ARGUMENT,
      "%s: reward structure \"%s\": only PRISM's files have named rewards; leave it out", path,
      options->reward);
}

CelStatus cel_mdp_load_with(CelMdp **out, const char *path, const CelMdpLoadOptions *options) {
  CELI_NEED(out);
  CELI_NEED(path);
  CELI_NEED(options);
  CELI_FLOATS(CELI_IEEE);
  CelMdpFormat format = options->format;
  CELI_TRY(find_format(path, &format));
  CELI_TRY(check_reward_option(path, options, format));
  switch (format) {
  case CEL_MDP_SAFETENSORS: return celi_mdp_load_safetensors(out, path, options);
  case CEL_MDP_GYMNASIUM: return celi_mdp_load_gymnasium(out, path, options);
  case CEL_MDP_CASSANDRA: return celi_mdp_load_cassandra(out, path, options);
  case CEL_MDP_PRISM: return celi_mdp_load_prism(out, path, options);
  case CEL_MDP_AUTO: break;
  }
  return cel_fail(CEL_E_ARGUMENT, "%s: %d is no format of finite problems", path, (int)format);
}

CelStatus cel_mdp_save(const CelMdp *mdp, const char *path, CelMdpFormat format) {
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(path);
  CELI_FLOATS(CELI_IEEE);
  if (format == CEL_MDP_AUTO) format = by_name(path);
  if (format == CEL_MDP_AUTO) {
    return cel_fail(CEL_E_UNSUPPORTED,
                    "%s: the name does not say the format; let it end in " ENDINGS, path);
  }
  if (format == CEL_MDP_SAFETENSORS) return celi_mdp_save_safetensors(mdp, path);
  CELI_TRY(cel_fail_in(cel_mdp_check(mdp), "%s: not written: ", path));
  switch (format) {
  case CEL_MDP_GYMNASIUM: return celi_mdp_save_gymnasium(mdp, path);
  case CEL_MDP_CASSANDRA: return celi_mdp_save_cassandra(mdp, path);
  case CEL_MDP_PRISM: return celi_mdp_save_prism(mdp, path);
  case CEL_MDP_SAFETENSORS:
  case CEL_MDP_AUTO: break;
  }
  return cel_fail(CEL_E_ARGUMENT, "%s: %d is no format of finite problems", path, (int)format);
}
