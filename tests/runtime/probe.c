/* What test environments run: one command, named by the variable PROBE. It prints what
 * it sees or what its attack came to; it never judges. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <ifaddrs.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* --- what it sees --------------------------------------------------------------------- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void list(const char *title, const char *path)
{
    struct dirent **names;
    int count = scandir(path, &names, NULL, by_name);

    printf("%s:", title);
    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.') {
            printf(" %s", names[i]->d_name);
        }
        free(names[i]);
    }
    if (count >= 0) {
        free(names);
    } else {
        printf(" %s", strerrorname_np(errno));
    }
    printf("\n");
}

/* By fcntl, not by /proc/self/fd: reading a directory opens one. */
static void view_fds(void)
{
    printf("fds:");
    for (int fd = 0; fd < 4096; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            printf(" %d", fd);
        }
    }
    printf("\n");
}

static void view_file(const char *path, const char *only)
{
    char line[512];
    FILE *file = fopen(path, "re");

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, only, strlen(only)) == 0) {
            printf("%s", line);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

static void view_net(void)
{
    struct ifaddrs *all = NULL;

    printf("net:");
    if (getifaddrs(&all) != 0) {
        printf(" %s", strerrorname_np(errno));
    }
    for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
        if (one->ifa_addr != NULL && one->ifa_addr->sa_family == AF_INET) {
            printf(" %s", one->ifa_name);
        }
    }
    printf(".\n");
    freeifaddrs(all);
}

static void view(void)
{
    struct utsname name;
    char cwd[256] = "";

    view_fds();
    list("root", "/");
    list("dev", "/dev");
    list("etc", "/etc");
    list("proc", "/proc");
    view_net();
    view_file("/proc/self/status", "Cap");
    view_file("/proc/self/status", "NoNewPrivs");
    view_file("/proc/self/status", "Seccomp:");
    view_file("/proc/self/cgroup", "");
    view_file("/proc/self/mountinfo", "");
    (void)uname(&name);
    printf("pid %d ppid %d uid %u gid %u groups %d sid %d host %s\n", getpid(), getppid(), getuid(),
           getgid(), getgroups(0, NULL), getsid(0), name.nodename);
    printf("cwd %s PAWL_FD %s\n", getcwd(cwd, sizeof cwd), getenv("PAWL_FD"));
    for (char **entry = environ; *entry != NULL; entry++) {
        printf("env %s\n", *entry);
    }
}

/* --- attacks -------------------------------------------------------------------------- */

static void tell(const char *name, long result)
{
    printf("%s: %s\n", name, (result >= 0) ? "ALLOWED" : strerrorname_np(errno));
    (void)fflush(stdout);
}

/* In a child: an attack that works may change or kill the process. */
#define ATTACK(name, expression)                                                                   \
    do {                                                                                           \
        pid_t child_ = fork();                                                                     \
        int status_ = 0;                                                                           \
        if (child_ == 0) {                                                                         \
            errno = 0;                                                                             \
            tell(name, (long)(expression));                                                        \
            _exit(0);                                                                              \
        }                                                                                          \
        (void)waitpid(child_, &status_, 0);                                                        \
        if (WIFSIGNALED(status_)) {                                                                \
            printf("%s: killed by %d\n", name, WTERMSIG(status_));                                 \
        }                                                                                          \
    } while (0)

static long clone_with(unsigned long flags)
{
    long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);

    if (pid == 0) {
        _exit(0);
    }
    return pid;
}

static long clone3_with(unsigned long long flags)
{
    unsigned long long args[8] = {flags, 0, 0, 0, SIGCHLD};
    long pid = syscall(435, args, sizeof args);

    if (pid == 0) {
        _exit(0);
    }
    return pid;
}

static long trace_child(void)
{
    pid_t child = fork();
    long r;
    int error;

    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    r = ptrace(PTRACE_ATTACH, child, NULL, NULL);
    error = errno;
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    errno = error;
    return r;
}

static long open_rw(const char *path)
{
    return open(path, O_RDWR | O_CLOEXEC);
}

static long make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0) {
        (void)unlink(path);
    }
    return fd;
}

static long bpf_map(void)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.map_type = BPF_MAP_TYPE_ARRAY;
    attr.key_size = 4;
    attr.value_size = 4;
    attr.max_entries = 1;
    return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr);
}

static long perf(void)
{
    struct perf_event_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.type = PERF_TYPE_SOFTWARE;
    attr.size = sizeof attr;
    return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static long uring(void)
{
    char params[256];

    memset(params, 0, sizeof params);
    return syscall(SYS_io_uring_setup, 4, params);
}

static long setuid_file(void)
{
    int fd = open("/tmp/suid", O_WRONLY | O_CREAT | O_CLOEXEC, 0700);

    return (fd >= 0) ? fchmod(fd, 04755) : -1;
}

/* The bit may be set; what matters is whether it gives anything: it is nosuid. */
static long read_memory_of_init(void)
{
    return open("/proc/1/mem", O_RDONLY | O_CLOEXEC);
}

static long chroot_out(void)
{
    return (mkdir("/tmp/jail", 0700) == 0 || errno == EEXIST) ? chroot("/tmp/jail") : -1;
}

static long set_clock(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return clock_settime(CLOCK_REALTIME, &now);
}

static long connect_abstract(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *name = getenv("ABSTRACT");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path + 1, (name != NULL) ? name : "none", 4);
    return connect(fd, (struct sockaddr *)&address, (socklen_t)(sizeof(sa_family_t) + 5));
}

static long push_terminal(void)
{
    return ioctl(0, TIOCSTI, "x");
}

#define TIOCSTI_HIGH (TIOCSTI | 0x100000000ul)

static void attack_processes(void)
{
    const char *host = getenv("HOST_PID");
    int pid = (host != NULL) ? (int)strtol(host, NULL, 10) : 0x7fffff;
    char path[64];

    ATTACK("ptrace child", trace_child());
    ATTACK("ptrace init", ptrace(PTRACE_ATTACH, 1, NULL, NULL));
    ATTACK("kill host", kill(pid, 0));
    ATTACK("process_vm_readv", syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0));
    ATTACK("pidfd_getfd", syscall(438, syscall(434, getppid(), 0), 0, 0));
    ATTACK("kcmp", syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 1));
    ATTACK("init memory", read_memory_of_init());
    ATTACK("init root", open("/proc/1/root/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ATTACK("init fds", open("/proc/1/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    (void)snprintf(path, sizeof path, "/proc/%d/environ", pid);
    ATTACK("host environ", open(path, O_RDONLY | O_CLOEXEC));
    ATTACK("kill init", kill(1, SIGKILL));
}

static void attack_namespaces(void)
{
    ATTACK("unshare user", unshare(CLONE_NEWUSER));
    ATTACK("unshare net", unshare(CLONE_NEWNET));
    ATTACK("unshare mount", unshare(CLONE_NEWNS));
    ATTACK("clone user", clone_with(CLONE_NEWUSER));
    ATTACK("clone3 user", clone3_with(CLONE_NEWUSER));
    ATTACK("setns", setns(open("/proc/self/ns/net", O_RDONLY), 0));
    ATTACK("mount", mount("t", "/tmp", "tmpfs", 0, NULL));
    ATTACK("remount", mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL));
    ATTACK("umount", umount2("/proc", MNT_DETACH));
    ATTACK("fsopen", syscall(430, "tmpfs", 0));
    ATTACK("open_tree", syscall(428, AT_FDCWD, "/", 1));
    ATTACK("pivot_root", syscall(SYS_pivot_root, ".", "."));
    ATTACK("chroot", chroot_out());
    ATTACK("mknod disk", mknod("/tmp/disk", S_IFBLK | 0600, 0xfe00));
    ATTACK("mknod fifo", mkfifo("/tmp/fifo", 0600));
    ATTACK("handle", syscall(SYS_open_by_handle_at, AT_FDCWD, "", 0));
}

static void attack_kernel(void)
{
    ATTACK("bpf", bpf_map());
    ATTACK("perf", perf());
    ATTACK("io_uring", uring());
    ATTACK("userfaultfd", syscall(SYS_userfaultfd, 1));
    ATTACK("keyctl", syscall(SYS_keyctl, 0, -3, 1));
    ATTACK("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -3));
    ATTACK("fanotify", syscall(SYS_fanotify_init, 0, 0));
    ATTACK("init_module", syscall(SYS_init_module, NULL, 0, ""));
    ATTACK("kexec", syscall(SYS_kexec_load, 0, 0, NULL, 0));
    ATTACK("seccomp", syscall(SYS_seccomp, 2, 0, "\0\0\0\0"));
    ATTACK("settime", set_clock());
    ATTACK("personality", syscall(SYS_personality, 0x0400000));
    ATTACK("sethostname", sethostname("x", 1));
    ATTACK("syslog", syscall(SYS_syslog, 3, "", 0));
    ATTACK("reboot", syscall(SYS_reboot, 0, 0, 0, NULL));
    ATTACK("terminal", push_terminal());
    ATTACK("terminal high", syscall(SYS_ioctl, 0, TIOCSTI_HIGH, "x"));
#ifdef __x86_64__
    ATTACK("modify_ldt", syscall(SYS_modify_ldt, 0, NULL, 0));
    ATTACK("iopl", syscall(SYS_iopl, 3));
    ATTACK("x32", syscall(0x40000000 + 39));
#endif
}

static void attack_sockets(void)
{
    ATTACK("raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    ATTACK("packet", socket(AF_PACKET, SOCK_RAW, 0));
    ATTACK("netlink route", socket(AF_NETLINK, SOCK_RAW, 0));
    ATTACK("netlink other", socket(AF_NETLINK, SOCK_RAW, 12));
    ATTACK("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
    ATTACK("alg", socket(AF_ALG, SOCK_SEQPACKET, 0));
    ATTACK("bluetooth", socket(AF_BLUETOOTH, SOCK_RAW, 0));
    ATTACK("inet", socket(AF_INET, SOCK_STREAM, 0));
    ATTACK("inet6", socket(AF_INET6, SOCK_DGRAM, 0));
    ATTACK("unix", socket(AF_UNIX, SOCK_SEQPACKET, 0));
    ATTACK("abstract", connect_abstract());
}

static void attack_files(void)
{
    const char *secret = getenv("SECRET");

    ATTACK("secret", open((secret != NULL) ? secret : "/none", O_RDONLY | O_CLOEXEC));
    ATTACK("write root", make_file("/file"));
    ATTACK("write usr", make_file("/usr/file"));
    ATTACK("write etc", make_file("/etc/file"));
    ATTACK("write dev", make_file("/dev/file"));
    ATTACK("write task", make_file("/var/task/file"));
    ATTACK("write bootstrap", open_rw("/var/task/bootstrap"));
    ATTACK("write tmp", make_file("/tmp/file"));
    ATTACK("write shm", make_file("/dev/shm/file"));
    ATTACK("write null", open_rw("/dev/null"));
    ATTACK("stdout by name", open("/dev/stdout", O_WRONLY | O_CLOEXEC));
    ATTACK("core_pattern", open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC));
    ATTACK("own comm", open("/proc/self/comm", O_WRONLY | O_CLOEXEC));
    ATTACK("sysrq", open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC));
    ATTACK("kcore", open("/proc/kcore", O_RDONLY | O_CLOEXEC));
    ATTACK("kallsyms", open("/proc/kallsyms", O_RDONLY | O_CLOEXEC));
    ATTACK("sys", open("/sys/kernel", O_RDONLY | O_CLOEXEC));
    ATTACK("kvm", open_rw("/dev/kvm"));
    ATTACK("fuse", open_rw("/dev/fuse"));
    ATTACK("shadow", open("/etc/shadow", O_RDONLY | O_CLOEXEC));
    ATTACK("setuid file", setuid_file());
    ATTACK("setuid", setuid(0));
    ATTACK("setgroups", setgroups(0, NULL));
    ATTACK("chown", chown("/tmp", 0, 0));
    ATTACK("renice", setpriority(PRIO_PROCESS, 0, -20));
    ATTACK("raise files", setrlimit(RLIMIT_NOFILE, &(struct rlimit){1 << 20, 1 << 20}));
}

/* --- resources ------------------------------------------------------------------------ */

static void eat_memory(void)
{
    for (size_t mb = 1; mb <= 4096; mb++) {
        char *block =
            mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (block == MAP_FAILED) {
            printf("refused at %zu MB\n", mb);
            return;
        }
        memset(block, 1, 1 << 20);
    }
    printf("had 4096 MB\n");
}

/* Each child lives on; the parent counts how many it could make. */
static void bomb(void)
{
    int count = 0;

    while (count < 100000) {
        pid_t pid = fork();

        if (pid == 0) {
            while (true) {
                (void)pause();
            }
        }
        if (pid < 0) {
            break;
        }
        count++;
    }
    printf("forked %d, then %s\n", count, strerrorname_np(errno));
}

static void fill(void)
{
    static char block[65536];
    int fd = open("/tmp/full", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    size_t bytes = 0;
    ssize_t n;

    while ((n = write(fd, block, sizeof block)) > 0) {
        bytes += (size_t)n;
    }
    printf("wrote %zu KB, then %s\n", bytes / 1024, strerrorname_np(errno));
    n = open("/dev/shm/more", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    printf("shm: %zd\n", write((int)n, block, sizeof block));
}

static void fill_inodes(void)
{
    char path[64];
    int count = 0;

    while (count < 1000000) {
        int fd;

        (void)snprintf(path, sizeof path, "/tmp/%d", count);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0) {
            break;
        }
        (void)close(fd);
        count++;
    }
    printf("made %d files, then %s\n", count, strerrorname_np(errno));
}

static void open_all(void)
{
    int count = 0;

    while (dup(0) >= 0) {
        count++;
    }
    printf("opened %d, then %s\n", count, strerrorname_np(errno));
}

static void *run_thread(void *arg)
{
    return arg;
}

/* What ordinary programs do. */
static void live(void)
{
    void *code =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int pair[2];
    int memfd = memfd_create("x", MFD_CLOEXEC);
    pthread_t thread;
    char random[8];

    printf("jit %d\n", code != MAP_FAILED);
    printf("thread %d\n",
           pthread_create(&thread, NULL, run_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
    printf("pair %d\n", socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    printf("memfd %d\n", memfd >= 0 && ftruncate(memfd, 4096) == 0);
    printf("random %d\n", getentropy(random, sizeof random) == 0);
    printf("shell %d\n", system("true && ls / > /dev/null") == 0); /* NOLINT */
    printf("null %d\n", open("/dev/null", O_RDWR) >= 0);
    (void)mkdir("/tmp/a", 0700);
    (void)mkdir("/tmp/b", 0700);
    (void)close(open("/tmp/a/f", O_WRONLY | O_CREAT, 0600));
    printf("rename %d\n", rename("/tmp/a/f", "/tmp/b/f") == 0);
    printf("shm %d\n", shm_open("/x", O_RDWR | O_CREAT, 0600) >= 0);
}

static void connect_granted(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *dir = getenv("GRANT");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char path[sizeof address.sun_path];

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.80s/socket", dir);
    tell("connect", connect(fd, (struct sockaddr *)&address, sizeof address));
    (void)snprintf(path, sizeof path, "%.80s/new", dir);
    tell("write", make_file(path));
    list("grant", dir);
}

static void loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in outside = {
        .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(0xa9fea9fe)};
    socklen_t len = sizeof address;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    tell("bind", bind(server, (struct sockaddr *)&address, sizeof address));
    tell("listen", listen(server, 1));
    (void)getsockname(server, (struct sockaddr *)&address, &len);
    tell("connect", connect(client, (struct sockaddr *)&address, len));
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    tell("outside", connect(client, (struct sockaddr *)&outside, sizeof outside));
    outside.sin_port =
        htons((uint16_t)strtol((getenv("PORT") != NULL) ? getenv("PORT") : "9", NULL, 10));
    outside.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    tell("host port", connect(client, (struct sockaddr *)&outside, sizeof outside));
}

/* --- the door ------------------------------------------------------------------------- */

static struct sockaddr_in door_address(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    const char *port = (api != NULL) ? strrchr(api, ':') : NULL;

    address.sin_port = htons((uint16_t)((port != NULL) ? strtol(port + 1, NULL, 10) : 9001));
    return address;
}

static long reach_door(void)
{
    struct sockaddr_in address = door_address();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return connect(fd, (struct sockaddr *)&address, sizeof address);
}

/* Says PROBE_WORD there, and prints what comes back. */
static void door(void)
{
    struct sockaddr_in address = door_address();
    const char *word = getenv("PROBE_WORD");
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer[64] = "";

    printf("api %s endpoint %s\n", getenv("AWS_LAMBDA_RUNTIME_API"),
           getenv("AWS_ENDPOINT_URL_LAMBDA"));
    tell("door", connect(fd, (struct sockaddr *)&address, sizeof address));
    (void)write(fd, (word != NULL) ? word : "word", (word != NULL) ? strlen(word) : 4);
    (void)read(fd, answer, sizeof answer - 1);
    printf("heard %s\n", answer);
}

/* On the door's port, with an option set first. */
static long listen_at_door(int family, int option, bool is_any)
{
    struct sockaddr_in address = door_address();
    struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_port = address.sin_port};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    int r;

    if (option != 0) {
        (void)setsockopt(fd, SOL_SOCKET, option, &on, sizeof on);
    }
    address.sin_addr.s_addr = is_any ? htonl(INADDR_ANY) : address.sin_addr.s_addr;
    r = (family == AF_INET6) ? bind(fd, (struct sockaddr *)&address6, sizeof address6)
                             : bind(fd, (struct sockaddr *)&address, sizeof address);
    return (r == 0) ? listen(fd, 8) : r;
}

/* A descriptor of the program's, to the daemon: the kernel takes it, nobody receives it. */
static long send_descriptor(void)
{
    char byte = 0;
    struct iovec piece = {.iov_base = &byte, .iov_len = 1};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    return sendmsg((int)strtol(getenv("PAWL_FD"), NULL, 10), &message, 0);
}

static long raise_net(void)
{
    struct {
        char name[16];
        short flags;
        char rest[22];
    } request = {.name = "lo", .flags = 0};

    return ioctl(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), 0x8914 /* SIOCSIFFLAGS */,
                 &request);
}

static void attack_door(void)
{
    ATTACK("reach", reach_door());
    ATTACK("listen", listen_at_door(AF_INET, 0, false));
    ATTACK("listen reuse", listen_at_door(AF_INET, SO_REUSEADDR, false));
    ATTACK("listen share", listen_at_door(AF_INET, SO_REUSEPORT, false));
    ATTACK("listen any", listen_at_door(AF_INET, SO_REUSEADDR, true));
    ATTACK("listen any share", listen_at_door(AF_INET, SO_REUSEPORT, true));
    ATTACK("listen six", listen_at_door(AF_INET6, SO_REUSEADDR, true));
    ATTACK("lo down", raise_net());
    ATTACK("send descriptor", send_descriptor());
}

static void view_layers(void)
{
    list("opt", "/opt");
    list("runtime", "/var/runtime");
    ATTACK("write opt", make_file("/opt/file"));
    ATTACK("write runtime", make_file("/var/runtime/file"));
    ATTACK("write opt file", open_rw("/opt/layered"));
    printf("program %s\n", getenv("PROBE"));
}

/* A grandchild that has left the session and ignores what it can; it is known to run. */
static void linger(void)
{
    int told[2];
    char word;

    (void)pipe(told);
    if (fork() == 0) {
        (void)setsid();
        if (fork() == 0) {
            (void)signal(SIGTERM, SIG_IGN);
            (void)signal(SIGHUP, SIG_IGN);
            printf("lingering\n");
            (void)fflush(stdout);
            (void)write(told[1], "!", 1);
            while (true) {
                (void)pause();
            }
        }
        _exit(0);
    }
    (void)wait(NULL);
    (void)read(told[0], &word, 1);
}

/* Echoes what comes on the native socket. */
static void echo(void)
{
    char data[256];
    ssize_t n;

    while ((n = read((int)strtol(getenv("PAWL_FD"), NULL, 10), data, sizeof data)) > 0) {
        (void)write((int)strtol(getenv("PAWL_FD"), NULL, 10), data, (size_t)n);
    }
    printf("eof\n");
}

static void spin(void)
{
    printf("spinning\n");
    (void)fflush(stdout);
    while (true) {
    }
}

static void wait_forever(void)
{
    printf("ready\n");
    (void)fflush(stdout);
    while (true) {
        (void)pause();
    }
}

static void stop_self(void)
{
    printf("stopping\n");
    (void)fflush(stdout);
    (void)kill(getpid(), SIGSTOP);
}

static void nothing(void)
{
}

static void touch_native(void)
{
    (void)write((int)strtol(getenv("PAWL_FD"), NULL, 10), "!", 1);
}

static const struct {
    const char *name;
    void (*run)(void);
} commands[] = {
    {"view", view},
    {"processes", attack_processes},
    {"namespaces", attack_namespaces},
    {"kernel", attack_kernel},
    {"sockets", attack_sockets},
    {"files", attack_files},
    {"memory", eat_memory},
    {"bomb", bomb},
    {"fill", fill},
    {"inodes", fill_inodes},
    {"open", open_all},
    {"live", live},
    {"grant", connect_granted},
    {"loopback", loopback},
    {"door", door},
    {"attack door", attack_door},
    {"layers", view_layers},
    {"linger", linger},
    {"echo", echo},
    {"wait", wait_forever},
    {"stop", stop_self},
    {"nothing", nothing},
    {"touch", touch_native},
    {"spin", spin},
};

int main(void)
{
    const char *command = getenv("PROBE");

    if (command == NULL) {
        return 99;
    }
    if (strncmp(command, "exit:", 5) == 0) {
        return (int)strtol(command + 5, NULL, 10);
    }
    if (strncmp(command, "signal:", 7) == 0) {
        (void)raise((int)strtol(command + 7, NULL, 10));
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(command, commands[i].name) == 0) {
            commands[i].run();
            return 0;
        }
    }
    return 98;
}
