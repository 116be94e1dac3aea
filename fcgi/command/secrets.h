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

#endif
