/* secrets.h: the secrets in commands and answers: the keys that the catalogue calls secret. */
#ifndef DROVER_COMMAND_SECRETS_H
#define DROVER_COMMAND_SECRETS_H

#include "base/arena.h"
#include "command/catalogue.h"
#include "wire/plist.h"

/* What is to stand in a secret's place (the walk owns it then); NULL: nothing, the key goes.
 * key: of the secret ("PIN"); parent: the key of the dictionary it is in, "" at the top. */
typedef pl secret_fn(const char *key, const char *parent, pl value, void *arg);

/* Calls fn for every secret of a command's dictionary (kind CATALOGUE_KEY) or of a report
 * (CATALOGUE_ANSWER), deep down too, and puts what it returns in its place. command: the row of the
 * request type; NULL: one that the catalogue does not know, of which nothing is known. Returns how
 * many there were. a: scratch memory. */
size_t secrets_replace(pl dict, cat command, enum catalogue_kind kind, secret_fn *fn, void *arg,
                       struct arena *a);

/* What stands in an answer in the place of a secret: data that begins so, and then the sealed
 * value. */
#define SECRET_SEALED "drover-sealed:1:"

/* Finds the secrets of a command (its XML form), which is what the catalogue calls secret and the
 * profile of an InstallProfile, and seals it whole, for its CommandUUID; *open is the command
 * without them. Without a secret, *sealed is empty and *open is xml. In a. A command that is longer
 * than what the signer opens at once, LIM_PROFILE, is sealed in parts of that length, each for its
 * place among them. INVALID: sealed, it is longer than the column that keeps it; UNAVAILABLE,
 * ERROR: the signer's public key cannot be read. */
enum outcome secrets_seal_command(const char *signer_dir, const char *uuid, struct bytes xml,
                                  struct arena *a, struct bytes *open, struct bytes *sealed,
                                  struct err *err) MUST_USE;
/* Opens it, by the signer, into out, which the caller wipes. Outcomes as sign_unseal(). */
enum outcome secrets_open_command(const char *uuid, struct bytes sealed, struct buf *out,
                                  struct err *err) MUST_USE;
/* The secrets of a device's report, whatever command it answers, are sealed where they stand;
 * ident: whose report. *changed: there were some, the tree is not what came any more. */
enum outcome secrets_seal_report(const char *signer_dir, const char *ident, pl report,
                                 struct arena *a, bool *changed, struct err *err) MUST_USE;
/* Takes the secrets out of a device's report, sealed or not, whatever command it answers; says
 * whether there were any. a: scratch memory. */
bool secrets_strip_report(pl report, struct arena *a);
/* Seals a secret of a device for people: label "Secret" and ident. In a. */
enum outcome secrets_seal_one(const char *signer_dir, const char *ident, struct bytes secret,
                              struct arena *a, struct bytes *sealed, struct err *err) MUST_USE;

#endif
