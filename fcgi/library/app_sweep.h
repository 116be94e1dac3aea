/* app_sweep.h: files of apps that the library does not have any more. */
#ifndef DROVER_LIBRARY_APP_SWEEP_H
#define DROVER_LIBRARY_APP_SWEEP_H

#include "base/conf.h"
#include "store/db.h"

/* Takes away the files of apps that were deleted; those that no app ever had, as an upload that was
 * cut off leaves them, after a week; and uploads that have not grown for a day. What is gone is
 * told by the database and the folder alone, so that it may stop at any point and is done once more
 * with the next. A failure is logged: it keeps nobody from what he does. */
void app_sweep(struct db *db, const struct conf *conf, int64_t now);

#endif
