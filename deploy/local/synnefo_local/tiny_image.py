"""The image `tiny`: a 1 MiB raw disk that boots, says one line on the first serial port and halts.

Its boot sector is 16-bit code put together here by hand: nothing is downloaded to see a server's console.
"""

MESSAGE = b"Synnefo tiny: the boot sector runs\r\n"
DISK_BYTES = 1 << 20
SECTOR_BYTES = 512
ORIGIN = 0x7C00  # where the BIOS loads the boot sector

CODE = bytes.fromhex(
    "fa"  #           cli
    "31c0"  #         xor ax, ax
    "8ed8"  #         mov ds, ax
    "be 0000"  #      mov si, message            (filled in below)
    "fc"  #           cld
    "ac"  #     next: lodsb
    "84c0"  #         test al, al
    "7412"  #         jz halt
    "88c3"  #         mov bl, al
    "ba fd03"  #      mov dx, 0x3FD              line status of COM1
    "ec"  #     wait: in al, dx
    "a8 20"  #        test al, 0x20              may it take a byte?
    "74fb"  #         jz wait
    "88d8"  #         mov al, bl
    "ba f803"  #      mov dx, 0x3F8
    "ee"  #           out dx, al
    "ebe9"  #         jmp next
    "f4"  #     halt: hlt
    "ebfd"  #         jmp halt
)
MESSAGE_OPERAND = 6  # offset of the address in `mov si, message`


def boot_sector(message: bytes = MESSAGE) -> bytes:
    """512 bytes ending in 55 AA. The message may have no zero byte and must fit."""
    address = ORIGIN + len(CODE)
    code = CODE[:MESSAGE_OPERAND] + address.to_bytes(2, "little") + CODE[MESSAGE_OPERAND + 2 :]
    body = code + message + b"\0"
    if b"\0" in message or len(body) > SECTOR_BYTES - 2:
        raise ValueError("the message does not fit into a boot sector")
    return body.ljust(SECTOR_BYTES - 2, b"\0") + b"\x55\xaa"


def tiny_disk() -> bytes:
    return boot_sector().ljust(DISK_BYTES, b"\0")
