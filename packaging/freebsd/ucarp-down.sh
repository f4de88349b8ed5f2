#!/bin/sh
# Gives the virtual address $2 on interface $1 up; $3 is ucarp_xparam. At start there is none to give up.
/sbin/ifconfig "$1" inet "$2" -alias 2>/dev/null || ! /sbin/ifconfig "$1" | grep -qwF "inet $2"
