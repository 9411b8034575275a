/* What was found about files: counts of everything, paths of the first few of each kind. */
#ifndef EXAMPLES_AUDIT_FINDINGS_H
#define EXAMPLES_AUDIT_FINDINGS_H

#include <jansson.h>
#include <pawl/pawl.h>

enum finding {
    FINDING_CHANGED,    /* its MD5 is another, or it is no regular file any more */
    FINDING_MISSING,    /* it is not there */
    FINDING_UNREADABLE, /* the function may not read it */
    FINDING_EXCLUDED,   /* it is not there because dpkg was told so */
    FINDING_UNSEEN,     /* its place is not shown to the function */
    FINDING_MALFORMED,  /* a line of the list that is no sum and path */
    FINDINGS
};

struct findings {
    uint64_t files; /* all that were looked at, whole ones too */
    uint64_t bytes;
    uint64_t counts[FINDINGS];
    json_t *paths[FINDINGS];
};

void findings_init(struct findings *findings);
void findings_fini(struct findings *findings);

/* `path` is kept if fewer than `listed_max` of its kind are. */
void findings_add(struct findings *findings, enum finding kind, const char *path,
                  size_t listed_max);

/* As JSON, and back; back adds to what is there. NULL, or false, without memory or for
 * what is no findings. */
json_t *findings_write(const struct findings *findings);
bool findings_read(struct findings *findings, struct pawl_value text, size_t listed_max);

#endif /* EXAMPLES_AUDIT_FINDINGS_H */
