/* `pawl verify --data DIR`: a whole journal checked with nobody serving it. */
#ifndef ENGINE_DRIVER_VERIFY_H
#define ENGINE_DRIVER_VERIFY_H

#include <stdbool.h>

/* Structure by journal/verify.h, seals and chains with the keys of `dir`, in a child
 * process: LMDB may crash on a damaged file. Prints what it finds to stdout, as
 * lines or as {"Checked":n,"Damaged":[…]}. An exit code: 0 sound, 1 damage found,
 * 5 the directory could not be read (in use, keys missing). */
int driver_verify_directory(const char *dir, bool is_json);

#endif /* ENGINE_DRIVER_VERIFY_H */
