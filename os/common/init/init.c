/*
 * The first program of the image: PID 1 of the initrd, one static program without a shell.
 *
 * It finds out which slot the firmware has started, opens that slot's root with dm-verity by the hash on the kernel's
 * command line, gives the machine its lasting id, and hands over to systemd. When the slot can't be started, or has
 * panicked PANICS_MAX times in a row, it asks the firmware for the other slot, once, and reboots: a box at sea has
 * nobody who would choose in a menu. It writes to no disk, and to EFI variables only in that case.
 *
 * Command line: hawser.root=HASH hawser.salt=SALT hawser.blocks=N (4096 bytes each; the hash tree follows them).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EFIVARS "/sys/firmware/efi/efivars"
#define EFI_GLOBAL "8be4df61-93ca-11d2-aa0d-00e098032b8c"
/* systemd's stub tells here from which partition it was loaded. */
#define LOADER_PART EFIVARS "/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
#define MAPPED "/dev/dm-0"
#define NEW_ROOT "/root"

enum {
    DISK_WAIT_MS = 20000,   /* a USB bridge or an SD card may take ten seconds to show up */
    POLL_MS = 10,
    PANICS_MAX = 3,         /* one may be a cosmic ray, two a bad day */
    SECTORS_PER_BLOCK = 8,  /* 4096 / 512 */
    MACHINE_ID_CHARS = 32,
    /* LUKS2 On-Disk Format Specification 1.1.1, 2.1: two headers, in each a text of 40 bytes. */
    LUKS_MAGIC_BYTES = 6,
    LUKS_SECOND_AT = 16384,
    LUKS_UUID_AT = 168,
    LUKS_UUID_BYTES = 40,
    EXT4_MAGIC_AT = 1080,   /* superblock 1024, s_magic 56 */
    DEVICE_CHARS = 64,
};

/* Fixed partition and boot entry numbers: os/common/repart.d, os/common/root/usr/lib/hawser/boot-entries. */
static const struct slot {
    char letter;
    const char *boot_partition;
    unsigned char boot_entry, other_entry;
} SLOTS[] = {
    {'a', "68617773-6572-4000-8000-0000000000a1", 0x0a, 0x0b},
    {'b', "68617773-6572-4000-8000-0000000000b1", 0x0b, 0x0a},
};

static const struct slot *slot;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    FILE *log = fopen("/dev/kmsg", "w");
    if (log) {
        fprintf(log, "<4>hawser-init: %s\n", text);
        fclose(log);
    }
}

/* At most size-1 bytes of a file, ended by a zero; -1 when it can't be read. */
static ssize_t read_file(const char *path, char *into, size_t size) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -1;
    ssize_t length = read(file, into, size - 1);
    close(file);
    if (length >= 0)
        into[length] = 0;
    return length;
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

/* Variables are immutable files, so that `rm -rf /` leaves a machine that starts. */
static void make_mutable(const char *path) {
    int flags, file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    if (ioctl(file, FS_IOC_GETFLAGS, &flags) == 0) {
        flags &= ~FS_IMMUTABLE_FL;
        ioctl(file, FS_IOC_SETFLAGS, &flags);
    }
    close(file);
}

/* BootNext: the firmware deletes it before it starts what it names, so this can't become a habit. */
static void ask_for_other_slot(void) {
    char entry[128];
    unsigned char value[] = {7, 0, 0, 0, 0, 0}; /* attributes: kept, at boot, at run time; then the number, low first */
    if (!slot)
        return;
    snprintf(entry, sizeof entry, EFIVARS "/Boot00%02X-" EFI_GLOBAL, slot->other_entry);
    if (access(entry, F_OK) != 0)
        return;
    value[4] = slot->other_entry;
    make_mutable(EFIVARS "/BootNext-" EFI_GLOBAL);
    int file = open(EFIVARS "/BootNext-" EFI_GLOBAL, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0 && write(file, value, sizeof value) == sizeof value)
        say("the firmware will start entry 00%02X", slot->other_entry);
    if (file >= 0)
        close(file);
}

__attribute__((noreturn)) static void give_up(const char *why) {
    say("cannot start this slot: %s (%s)", why, strerror(errno));
    ask_for_other_slot();
    sync();
    sleep(1); /* the console is slow, and this line is all that anybody will ever see */
    reboot(RB_AUTOBOOT);
    _exit(1);
}

static void mount_or_give_up(const char *what, const char *where, const char *type, unsigned long flags,
                             const char *options) {
    mkdir(where, 0755);
    if (mount(what, where, type, flags, options) != 0)
        give_up(where);
}

/* The list is in the order in which they need each other. One that this machine has no use for may fail. */
static void load_modules(void) {
    char path[256];
    FILE *list = fopen("/modules/order", "r");
    if (!list)
        give_up("no list of modules");
    while (fscanf(list, "%255s", path) == 1) {
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0 || (syscall(SYS_finit_module, file, "", 0) != 0 && errno != EEXIST && errno != ENODEV))
            say("%s: %s", path, strerror(errno));
        if (file >= 0)
            close(file);
        unlink(path); /* memory that nobody would give back */
    }
    fclose(list);
}

/* Which slot this is: the partition that the stub came from, nothing else. UTF-16 after 4 bytes of attributes. */
static const struct slot *running_slot(void) {
    char raw[128], name[64] = "";
    ssize_t length = read_file(LOADER_PART, raw, sizeof raw);
    for (ssize_t at = 4, to = 0; at < length && to < 63; at += 2, to++)
        name[to] = raw[at];
    for (size_t i = 0; i < sizeof SLOTS / sizeof *SLOTS; i++)
        if (strcasecmp(name, SLOTS[i].boot_partition) == 0)
            return &SLOTS[i];
    errno = 0;
    say("started from partition '%s', which is no slot", name);
    return NULL;
}

/*
 * Each panic leaves records in the variables, all with the same time in their names; systemd-pstore clears them once a
 * boot came far enough. So what lies here are the panics in a row: more than a few, and the slot is rotten.
 */
static int clear_panics_or_count(int clear) {
    char path[512], seen[PANICS_MAX][24] = {{0}};
    int count = 0;
    DIR *folder = opendir(EFIVARS);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char time[24];
        if (sscanf(entry->d_name, "dump-type%*u-%*u-%*u-%23[0-9]-", time) != 1)
            continue;
        if (clear) {
            snprintf(path, sizeof path, EFIVARS "/%s", entry->d_name);
            make_mutable(path);
            unlink(path);
            continue;
        }
        int known = 0;
        for (int i = 0; i < count; i++)
            known |= strcmp(seen[i], time) == 0;
        if (!known && count < PANICS_MAX)
            strcpy(seen[count++], time);
    }
    if (folder)
        closedir(folder);
    return count;
}

/* The disk of a partition, both by their names in /sys/class/block: a partition lies in its disk's folder. */
static void disk_of(const char *partition, char disk[DEVICE_CHARS]) {
    char path[320], target[512], *last;
    snprintf(path, sizeof path, "/sys/class/block/%s", partition);
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length < 0 ? 0 : length] = 0;
    last = strrchr(target, '/');
    if (last)
        *last = 0;
    last = strrchr(target, '/');
    snprintf(disk, DEVICE_CHARS, "%.58s", last ? last + 1 : "");
}

/*
 * The device of the partition with this name, waiting for the disk to show up; 0 when it never does. With a disk, only
 * on that one: a second one with such a partition is somebody else's.
 */
static int find_partition(const char *name, const char *disk, char device[DEVICE_CHARS]) {
    char path[320], uevent[1024], wanted[64], found_on[DEVICE_CHARS];
    snprintf(wanted, sizeof wanted, "\nPARTNAME=%s\n", name);
    for (int waited = 0; waited < DISK_WAIT_MS; waited += POLL_MS, usleep(POLL_MS * 1000)) {
        DIR *folder = opendir("/sys/class/block");
        for (struct dirent *entry; folder && (entry = readdir(folder));) {
            snprintf(path, sizeof path, "/sys/class/block/%s/uevent", entry->d_name);
            disk_of(entry->d_name, found_on);
            if ((!*disk || strcmp(disk, found_on) == 0) && read_file(path, uevent, sizeof uevent) > 0 &&
                strstr(uevent, wanted)) {
                snprintf(device, DEVICE_CHARS, "/dev/%.58s", entry->d_name);
                closedir(folder);
                return 1;
            }
        }
        if (folder)
            closedir(folder);
    }
    return 0;
}

/* The value of `key=` on the command line, up to the next blank; "" when it is not there. */
static void parameter(const char *line, const char *key, char *into, size_t size) {
    const char *at = strstr(line, key);
    size_t length = at ? strcspn(at + strlen(key), " \n") : 0;
    if (length >= size)
        length = 0;
    memcpy(into, at ? at + strlen(key) : "", length);
    into[length] = 0;
}

static void device_mapper(int control, unsigned long request, struct dm_ioctl *head, size_t size, unsigned targets) {
    memset(head, 0, sizeof *head);
    head->version[0] = DM_VERSION_MAJOR;
    head->data_size = size;
    head->data_start = sizeof *head;
    head->flags = DM_READONLY_FLAG;
    head->target_count = targets;
    strcpy(head->name, "root");
    if (ioctl(control, request, head) != 0)
        give_up("device mapper");
}

/* A block that fails its hash panics: the record of it counts, and three of them lead to the other slot. */
static void open_verity(const char *device, const char *command_line) {
    struct {
        struct dm_ioctl head;
        struct dm_target_spec target;
        char parameters[1024];
    } request = {0};
    char hash[80], salt[80], blocks[24];
    parameter(command_line, "hawser.root=", hash, sizeof hash);
    parameter(command_line, "hawser.salt=", salt, sizeof salt);
    parameter(command_line, "hawser.blocks=", blocks, sizeof blocks);
    if (!*hash || !*salt || !*blocks)
        give_up("no root hash on the command line");
    int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
    if (control < 0)
        give_up("no device mapper");
    device_mapper(control, DM_DEV_CREATE, &request.head, sizeof request.head, 0);
    request.target.length = strtoull(blocks, NULL, 10) * SECTORS_PER_BLOCK;
    strcpy(request.target.target_type, "verity");
    snprintf(request.parameters, sizeof request.parameters,
             "1 %s %s 4096 4096 %s %s sha256 %s %s 1 panic_on_corruption", device, device, blocks, blocks, hash, salt);
    device_mapper(control, DM_TABLE_LOAD, &request.head, sizeof request, 1);
    device_mapper(control, DM_DEV_SUSPEND, &request.head, sizeof request.head, 0); /* without its flag: resume */
    close(control);
}

/* Whether a device has these bytes there. */
static int has_bytes(int file, off_t at, const char *wanted, size_t size) {
    char found[LUKS_MAGIC_BYTES];
    return pread(file, found, size, at) == (ssize_t)size && memcmp(found, wanted, size) == 0;
}

/*
 * Is the data partition encrypted, and by which UUID? The second header counts when the first is damaged (cryptsetup
 * mends it), for a partition that were taken for plain would be repaired until nothing of it is left; but not where a
 * file system lies in place of the first: then it is only a rest.
 */
static int is_luks(const char *device, char uuid[LUKS_UUID_BYTES + 1]) {
    int file = open(device, O_RDONLY | O_CLOEXEC), found = 0;
    if (file < 0)
        return 0;
    off_t header = has_bytes(file, 0, "LUKS\xba\xbe", LUKS_MAGIC_BYTES) ? 0 : LUKS_SECOND_AT;
    if (header == 0 || (has_bytes(file, LUKS_SECOND_AT, "SKUL\xba\xbe", LUKS_MAGIC_BYTES) &&
                        !has_bytes(file, EXT4_MAGIC_AT, "\x53\xef", 2)))
        found = pread(file, uuid, LUKS_UUID_BYTES, header + LUKS_UUID_AT) == LUKS_UUID_BYTES;
    uuid[found ? LUKS_UUID_BYTES : 0] = 0;
    close(file);
    return found;
}

/* Of a partition that is in the clear: what hawser-identity has kept there, with the end of its line. */
static void read_machine_id(const char *device, char *id, size_t size) {
    mkdir("/data", 0755);
    if (mount(device, "/data", "ext4", MS_RDONLY | MS_NOSUID | MS_NODEV, "noload") != 0)
        return;
    if (read_file("/data/identity/machine-id", id, size) < 0)
        *id = 0;
    umount("/data");
    id[strcspn(id, "\n")] = 0;
}

/* Nobody has the key yet: the machine id is the header's UUID, data-crypt.sh has made it so. */
static void strip_hyphens(const char *uuid, char *id) {
    for (; *uuid; uuid++)
        if (*uuid != '-')
            *id++ = *uuid;
    *id = 0;
}

/*
 * systemd reads /etc/machine-id before anything is mounted, and the root is read-only: so the lasting one is fetched
 * here, from a data partition that is left exactly as it is (`noload`: not even its journal is replayed). Without one,
 * at first boot, systemd makes one up, and hawser-identity keeps it.
 */
static void give_machine_id(const char *id) {
    char line[64];
    if (strlen(id) != MACHINE_ID_CHARS || strspn(id, "0123456789abcdef") != MACHINE_ID_CHARS)
        return;
    snprintf(line, sizeof line, "%s\n", id);
    write_file("/run/hawser/machine-id", line);
    chmod("/run/hawser/machine-id", 0444);
    if (mount("/run/hawser/machine-id", NEW_ROOT "/etc/machine-id", NULL, MS_BIND, NULL) != 0)
        say("machine-id: %s", strerror(errno));
}

/* For rauc.service and for hawser-data, which need not wait for udev then. */
static void tell_slot(const char *data, int luks) {
    char text[160];
    snprintf(text, sizeof text, "HAWSER_SLOT=hawser-%c\nHAWSER_DATA=%s\nHAWSER_DATA_KIND=%s\n", slot->letter, data,
             luks ? "luks" : "plain");
    write_file("/run/hawser/slot.env", text);
}

__attribute__((noreturn)) static void hand_over(void) {
    static const char *const MOVED[] = {"/dev", "/proc", "/sys", "/run"};
    char target[64];
    for (size_t i = 0; i < sizeof MOVED / sizeof *MOVED; i++) {
        snprintf(target, sizeof target, NEW_ROOT "%s", MOVED[i]);
        if (mount(MOVED[i], target, NULL, MS_MOVE, NULL) != 0)
            give_up(target);
    }
    if (chdir(NEW_ROOT) != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0)
        give_up("the new root");
    execl("/usr/lib/systemd/systemd", "/usr/lib/systemd/systemd", NULL);
    give_up("systemd");
}

int main(void) {
    char command_line[4096] = "", device[DEVICE_CHARS], disk[DEVICE_CHARS], name[] = "rootfs-?";
    char uuid[LUKS_UUID_BYTES + 1] = "", id[LUKS_UUID_BYTES + 1] = "";
    int luks;
    mount_or_give_up("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_or_give_up("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_or_give_up("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
    mount_or_give_up("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=20%");
    mkdir("/run/hawser", 0755);
    load_modules();
    if (mount("efivarfs", EFIVARS, "efivarfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
        give_up("no EFI variables");
    slot = running_slot();
    if (!slot)
        give_up("unknown slot");
    if (clear_panics_or_count(0) >= PANICS_MAX) {
        clear_panics_or_count(1);
        give_up("it has panicked too often");
    }
    name[sizeof name - 2] = slot->letter;
    read_file("/proc/cmdline", command_line, sizeof command_line);
    if (!find_partition(name, "", device))
        give_up(name);
    disk_of(device + strlen("/dev/"), disk);
    open_verity(device, command_line);
    mkdir(NEW_ROOT, 0755);
    if (mount(MAPPED, NEW_ROOT, "ext4", MS_RDONLY, NULL) != 0)
        give_up("the root's file system");
    if (!find_partition("data", disk, device))
        strcpy(device, "/dev/none");
    luks = is_luks(device, uuid);
    if (luks)
        strip_hyphens(uuid, id);
    else
        read_machine_id(device, id, sizeof id);
    give_machine_id(id);
    tell_slot(device, luks);
    hand_over();
}
