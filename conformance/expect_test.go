package conformance

// trivet is what Trivet does: event, states, variants (the words are explained
// in reach_test.go and beside the events), next state, segments sent (see
// trial.segments; CHACK is an ACK that is not repeated at once), what the call
// returns or else what the user sees ("-": what the state itself brings; "5B":
// text; an errno: told once; "accept": a connection), other facts (see
// trial.fact), and, where it is not what the table of the checklist says, the
// decision in docs/rfc.md that says why: "own" is the line of the cell itself.
//
// "never" in place of the next state: the event cannot happen there, which is
// asserted.
const trivet = `
# User calls: what the call returns.

OPENA  | CL | nobody                         | SS    | SYN              | ok
OPENA  | CL | nobody no-remote               | =     | -                | EINVAL
OPENA  | CL | nobody no-port                 | =     | -                | EADDRNOTAVAIL
OPENA  | CL | nobody no-route                | =     | -                | ENETUNREACH
OPENA  | LI |                                | =     | -                | -             |       | own
OPENA  | SS ES F1 F2 CW CG LA TW |           | =     | -                | EADDRNOTAVAIL |       | own
OPENA  | SR | passive; active                | =     | -                | EADDRNOTAVAIL |       | own
OPENA  | TW | later                          | SS    | SYN above        | ok            |       | own
OPENP  | CL | nobody; ended                  | LI    | -                | ok
OPENP  | CL | nobody taken                   | LI    | -                | EADDRINUSE
OPENP  | LI |                                | =     | -                | EADDRINUSE    |       | own
OPENP  | SS |                                | =     | -                | ok            |       | own
OPENP  | SR | active                         | =     | -                | ok            |       | own
OPENP  | SR | passive                        | =     | -                | EADDRINUSE    |       | own
OPENP  | ES F1 F2 CW CG LA TW |              | =     | -                | EADDRINUSE    |       | own

SEND   | CL | ended                          | =     | -                | EPIPE
SEND   | LI |                                | never | -                | -             |       | own
SEND   | SS |                                | =     | -                | EAGAIN
SEND   | SR | passive                        | never | -                | -
SEND   | SR | active                         | =     | -                | EAGAIN
SEND   | ES CW |                             | =     | data             | ok
SEND   | ES CW | too-much                    | =     | data             | part EAGAIN
SEND   | F1 F2 CG LA TW |                    | =     | -                | EPIPE

RECV   | CL | ended                          | =     | -                | EOF
RECV   | CL | reset                          | =     | -                | ECONNRESET EOF
RECV   | LI |                                | never | -                | -             |       | own
RECV   | SS |                                | =     | -                | EAGAIN
RECV   | SR | passive                        | never | -                | -
RECV   | SR | active                         | =     | -                | EAGAIN
RECV   | ES F1 F2 |                          | =     | -                | EAGAIN
RECV   | ES F1 F2 | unread                   | =     | -                | 5B EAGAIN
RECV   | ES F1 F2 | full                     | =     | ACK              | 3980B EAGAIN
RECV   | CW CG LA TW |                       | =     | -                | EOF
RECV   | CW CG LA TW | unread                | =     | -                | 5B EOF

CLOSE  | CL | ended                          | =     | -                | ENOTCONN
CLOSE  | LI |                                | CL    | -                | ok
CLOSE  | LI | half                           | CL    | -                | ok            | queue=0
CLOSE  | LI | child                          | CL    | RST(n)           | ok
CLOSE  | SS | close                          | CL    | -                | ok
CLOSE  | SS |                                | =     | -                | ENOTCONN      |       | own
CLOSE  | SR | passive                        | never | -                | -
CLOSE  | SR | active; active close           | F1    | FIN              | ok
CLOSE  | ES | ; close                        | F1    | FIN              | ok
CLOSE  | ES | queued                         | F1    | data,FIN         | ok
CLOSE  | F1 F2 CG LA TW | ; close            | =     | -                | ok
CLOSE  | CW | ; close                        | LA    | FIN              | ok
CLOSE  | CW | queued                         | LA    | data,FIN         | ok

ABORT  | CL | ended                          | =     | -                | ok
ABORT  | LI |                                | CL    | -                | ok
ABORT  | LI | half                           | CL    | -                | ok            | queue=0
ABORT  | LI | child                          | CL    | RST(n)           | ok
ABORT  | SS |                                | CL    | -                | ok
ABORT  | SR | passive                        | never | -                | -
ABORT  | SR | active                         | CL    | RST(n)           | ok
ABORT  | ES F1 F2 CW | ; unread              | CL    | RST(n)           | ok
ABORT  | CG LA TW |                          | CL    | -                | ok

STATUS | CL | nobody; ended                  | =     | -                | none
STATUS | LI |                                | =     | -                | LISTEN 0 of 4096
STATUS | LI | child                          | =     | -                | LISTEN 1 of 4096
STATUS | SS |                                | =     | -                | SYN-SENT
STATUS | SR | passive; active                | =     | -                | SYN-RECEIVED
STATUS | ES | ; unread                       | =     | -                | ESTABLISHED
STATUS | F1 |                                | =     | -                | FIN-WAIT-1
STATUS | F2 |                                | =     | -                | FIN-WAIT-2
STATUS | CW |                                | =     | -                | CLOSE-WAIT
STATUS | CG |                                | =     | -                | CLOSING
STATUS | LA |                                | =     | -                | LAST-ACK
STATUS | TW |                                | =     | -                | TIME-WAIT

# RST: never answered by a RST.

RST=   | CL | nobody; ended; nobody acks     | =     | -                | -
RST=   | LI | ; acks                         | =     | -                | -
RST= RST~ | SS | acks                        | CL    | -                | ECONNREFUSED
RST= RST~ | SS | ; bad-ack                   | =     | -                | -
RSTx   | SS | acks; left acks                | CL    | -                | ECONNREFUSED
RSTx   | SS | ; left; bad-ack                | =     | -                | -
RST=   | SR | passive                        | LI    | -                | -
RST=   | SR | active                         | CL    | -                | ECONNREFUSED
RST=   | ES F1 F2 |                          | CL    | -                | ECONNRESET
RST=   | ES F1 F2 | unread                   | CL    | -                | 5B ECONNRESET
RST=   | ES F1 F2 | full                     | CL    | -                | 3980B ECONNRESET
RST=   | CW |                                | CL    | -                | EPIPE
RST=   | CG LA |                             | CL    | -                | -
RST=   | TW |                                | =     | -                | -             |       | DIS-1
RST=   | TW | rfc9293                        | CL    | -                | -

RST~   | CL | nobody; ended                  | =     | -                | -
RST~   | LI |                                | =     | -                | -
RST~   | SR | passive; active                | =     | CHACK            | -
RST~   | ES F1 F2 CW CG LA TW |              | =     | CHACK            | -

RSTx   | CL | nobody; ended                  | =     | -                | -
RSTx   | LI |                                | =     | -                | -
RSTx   | SR | passive; passive left; active; active left | = | -        | -
RSTx   | ES F1 F2 CW CG LA TW | ; left       | =     | -                | -

# SYN.

SYN    | CL | nobody; ended                  | =     | RST(s)           | -
SYN    | LI |                                | SR    | SYN,ACK          | -             | queue=1
SYN    | LI | cookie again                   | =     | SYN,ACK again    | -             | queue=1
SYN    | SS |                                | SR    | SYN,ACK          | -
SYN    | SR | passive again; active again    | =     | SYN,ACK again    | -             |       | DIS-16
SYN    | SR | passive new                    | LI    | -                | -             | queue=0
SYN    | SR | active new                     | =     | CHACK            | -
SYN    | SR | passive far; active far        | =     | CHACK            | -
SYN    | ES F1 F2 CW CG LA | ; again; new; far | =   | CHACK            | -
SYN    | TW | newer; newer far               | SR    | SYN,ACK above    | -             | path=TW>CL>SR
SYN    | TW | no-ts; no-ts new               | SR    | SYN,ACK above    | -
SYN    | TW | older; older far; no-ts below; newer nobody-listens | = | CHACK | -     |       | DIS-2

SYNACK | CL | nobody; ended                  | =     | RST(a)           | -
SYNACK | LI |                                | =     | RST(a)           | -
SYNACK | SS |                                | ES    | ACK+1            | -
SYNACK | SS | with-text                      | ES    | ACK+6            | 5B
SYNACK | SS | bad-ack                        | =     | RST(a)           | -
SYNACK | SR | active again                   | ES    | -                | -
SYNACK | SR | active again bad-ack           | =     | SYN,ACK again    | -             |       | DIS-16
SYNACK | SR | active new; passive again      | =     | CHACK            | -
SYNACK | SR | passive new                    | LI    | -                | -             |       | own
SYNACK | ES F1 F2 CW CG LA TW | ; again; new | =     | CHACK            | -

SYNFIN | CL | nobody; ended                  | =     | RST(s)           | -
SYNFIN | LI SS |                             | =     | -                | -             |       | DIS-3
SYNFIN | SR | passive again                  | =     | -                | -
SYNFIN | SR | passive new                    | LI    | -                | -
SYNFIN | SR | active again; active new       | =     | CHACK            | -
SYNFIN | ES F1 F2 CW CG LA TW | ; again; new | =     | CHACK            | -

# ACK.

ACKn ACKd ACKo ACKx ACKf | CL | nobody; ended | =    | RST(a)           | -
ACKn ACKd ACKo ACKx ACKf | LI |              | =     | RST(a)           | -
ACKn   | LI | cookie                         | ES    | -                | accept        | rule:cookie-accepted=1
ACKd   | LI | cookie                         | ES    | -                | accept        | rule:cookie-accepted=1 # a cookie for another MSS
ACKo ACKx ACKf | LI | cookie            | =     | RST(a)           | -             | rule:cookie-refused=1
ACKn   | SS |                                | =     | -                | -
ACKd ACKo ACKx ACKf | SS |                   | =     | RST(a)           | -             | rto=1000
ACKn   | SR | passive                        | ES    | -                | accept        | wnd=65535
ACKn   | SR | active                         | ES    | -                | -             | wnd=65535
ACKd ACKo ACKx ACKf | SR | passive; active   | =     | RST(a)           | -
ACKn   | ES CW |                             | =     | -                | -             | unacked=0
ACKn   | ES CW | waiting                     | =     | data data        | -             | unacked=1552
ACKn   | ES CW | writer                      | =     | -                | -             | unacked=0
ACKn   | F1 |                                | F2    | -                | -
ACKn   | F1 CG LA | text                     | =     | -                | -             | unacked=0
ACKn   | CG |                                | TW    | -                | -             | 2msl=60000
ACKn   | LA |                                | CL    | -                | -
ACKn   | F2 TW |                             | never | -                | -
ACKd   | ES F1 CW CG LA |                    | =     | -                | -             | dup=1
ACKd   | ES CW | idle                        | =     | -                | -             | dup=0
ACKd   | ES F1 CW CG LA | other-window       | =     | -                | -             | dup=0 wnd=1000
ACKd   | ES F1 | with-text                   | =     | ACK+5            | 5B            | dup=0
ACKd   | F2 | other-window                   | =     | -                | -             | dup=0 wnd=1000
ACKd   | F2 |                                | =     | -                | -             | dup=0
ACKd   | TW |                                | =     | -                | -
ACKd   | TW | elsewhere                      | =     | CHACK            | -
ACKo   | ES F1 F2 CW CG LA TW |              | =     | -                | -
ACKo   | ES F1 F2 | with-text                | =     | ACK+5            | 5B
ACKo   | CW CG LA TW | with-text             | =     | ACK              | -
ACKx   | ES F1 F2 CW CG LA TW | ; with-text  | =     | CHACK            | -
ACKf   | ES F1 F2 CW CG LA TW | ; with-text  | =     | CHACK            | -             | ts=old

NOACK  | CL | nobody; ended                  | =     | RST(s)           | -
NOACK  | LI SS |                             | =     | -                | -
NOACK  | SR | passive; active                | =     | -                | -
NOACK  | ES F1 F2 CW CG LA TW |              | =     | -                | -

# Text.

DATA OOO DOLD DRIGHT DTRIM DZW | CL | nobody; ended | = | RST(a)        | -
DATA OOO DOLD DRIGHT DTRIM DZW | LI |        | =     | RST(a)           | -
DATA DZW | LI | cookie                       | ES    | ACK+5            | accept 5B
OOO DOLD DRIGHT DTRIM | LI | cookie          | =     | RST(a)           | -
DATA OOO DOLD DRIGHT DTRIM DZW | SS |        | =     | -                | -
DATA OOO DOLD DRIGHT DTRIM DZW | SS | bad-ack | =    | RST(a)           | -

DATA   | SR | passive                        | ES    | ACK+5            | accept 5B
DATA   | SR | active                         | ES    | ACK+5            | 5B
DATA   | ES F1 F2 |                          | =     | ACK+5            | 5B            | ts=new
DATA   | ES F1 F2 | delayed                  | =     | -                | 5B
DATA   | F1 F2 | orphan                      | CL    | RST(a)           | -             |       | own
DATA   | F1 F2 | shut                        | CL    | RST(a)           | ECONNRESET    |       | SOCK-41
DATA   | CW CG LA TW |                       | =     | ACK              | -

OOO    | SR | passive                        | ES    | ACK:sack         | accept
OOO    | SR | active                         | ES    | ACK:sack         | -             | ooo=5
OOO    | ES F1 F2 |                          | =     | ACK:sack         | -             | ooo=5 ts=old
OOO    | CW CG LA TW |                       | =     | ACK              | -

DOLD   | SR | passive                        | =     | ACK              | -
DOLD   | SR | active                         | =     | ACK:dsack        | -
DOLD   | ES F1 F2 CW CG LA |                 | =     | ACK:dsack        | -
DOLD   | TW |                                | =     | ACK              | -

DRIGHT | SR | passive; active                | =     | ACK              | -
DRIGHT | ES F1 F2 CW CG LA TW |              | =     | ACK              | -             | ts=old

DTRIM  | SR | passive left                   | ES    | ACK+5:dsack      | accept 5B
DTRIM  | SR | active left                    | ES    | ACK+5:dsack      | 5B
DTRIM  | SR | passive both                   | ES    | ACK+4000:dsack:shut | accept 4000B
DTRIM  | SR | active both                    | ES    | ACK+4000:dsack:shut | 4000B
DTRIM  | SR | passive right                  | ES    | ACK:sack         | accept
DTRIM  | SR | active right                   | ES    | ACK:sack         | -             | ooo=5
DTRIM  | ES F1 F2 | left                     | =     | ACK+5:dsack      | 5B            | ts=new
DTRIM  | ES F1 F2 | right                    | =     | ACK:sack         | -             | ooo=5
DTRIM  | ES F1 F2 | both                     | =     | ACK+3980:dsack:shut | 3980B
DTRIM  | CW CG LA TW | left; right; both     | =     | ACK              | -

DZW    | SR | passive                        | never | -                | -
DZW    | SR | active full                    | ES    | ACK:shut         | 4000B         |       | own
DZW    | ES F1 F2 | full                     | =     | ACK:shut         | 3980B
DZW    | ES | full text acks                 | =     | ACK:shut         | 3980B         | unacked=0
DZW    | CW CG LA TW | full                  | =     | ACK:shut         | 3980B

# FIN and urgent data.

FIN FINg FINd | CL | nobody; ended           | =     | RST(a)           | -
FIN FINg FINd | CL | nobody no-ack; ended no-ack | = | RST(s)           | -
FIN FINg FINd | LI |                         | =     | RST(a)           | -
FIN FINg FINd | LI SS | no-ack               | =     | -                | -
FIN FINg FINd | SS |                         | =     | -                | -
FIN FINg FINd | SS | bad-ack                 | =     | RST(a)           | -
FIN    | SR | passive                        | CW    | ACK+1            | accept        | path=SR>ES>CW
FIN    | SR | active                         | CW    | ACK+1            | -             | path=SR>ES>CW
FIN    | SR | passive with-text              | CW    | ACK+6            | accept 5B     | path=SR>ES>CW
FIN    | ES |                                | CW    | ACK+1            | -
FIN    | ES | unread                         | CW    | ACK+1            | 5B
FIN    | ES | with-text                      | CW    | ACK+6            | 5B
FIN    | F1 |                                | CG    | ACK+1            | -
FIN    | F1 | acks                           | TW    | ACK+1            | -             | 2msl=60000 path=F1>TW
FIN    | F2 |                                | TW    | ACK+1            | -             | 2msl=60000
FIN    | CW CG LA |                          | =     | ACK              | -
FIN    | TW |                                | =     | ACK              | -             | 2msl=60000
FINg   | SR | passive                        | ES    | ACK              | accept
FINg   | SR | active                         | ES    | ACK              | -
FINg   | ES F1 F2 |                          | =     | ACK              | -
FINg   | ES F1 F2 | with-text                | =     | ACK:sack         | -             | ooo=5
FINg   | CW CG LA TW |                       | =     | ACK              | -
FINd   | SR | passive; active                | =     | ACK              | -
FINd   | ES F1 F2 |                          | never | -                | -
FINd   | CW CG LA |                          | =     | ACK              | -
FINd   | TW |                                | =     | ACK              | -             | 2msl=60000

URG    | CL | nobody; ended                  | =     | RST(a)           | -
URG    | LI |                                | =     | RST(a)           | -
URG    | LI | cookie                         | ES    | -                | accept
URG    | SS |                                | =     | -                | -
URG    | SS | bad-ack                        | =     | RST(a)           | -
URG    | SR | passive                        | ES    | -                | accept        | rule:urgent=1 | DIS-6
URG    | SR | active                         | ES    | -                | -             | rule:urgent=1 | DIS-6
URG    | SR | active with-text               | ES    | ACK+5            | 5B            | rule:urgent=1 | DIS-6
URG    | ES F1 F2 |                          | =     | -                | -             | rule:urgent=1 | DIS-6
URG    | ES F1 F2 | full                     | =     | -                | 3980B         | rule:urgent=1 | DIS-6
URG    | CW CG LA TW |                       | =     | -                | -             | rule:urgent=0

# Time.

USERTO RTO R2 PERSIST KEEP KEEPX 2MSL FW2 | CL | nobody; ended | never | - | -
USERTO RTO R2 PERSIST KEEP KEEPX 2MSL FW2 | LI | | never | -            | -

USERTO | SS |                                | CL    | -                | ETIMEDOUT
USERTO | SR | passive                        | LI    | -                | -
USERTO | SR | active                         | CL    | -                | ETIMEDOUT
USERTO | ES CW |                             | CL    | RST(n)           | ETIMEDOUT
USERTO | ES CW | queued shut-wnd             | CL    | RST(n)           | ETIMEDOUT
USERTO | ES F2 CW | idle keep-alive          | CL    | RST(n)           | ETIMEDOUT
USERTO | F1 CG LA |                          | CL    | RST(n)           | ETIMEDOUT
USERTO | ES F2 CW | idle                     | never | -                | -
USERTO | TW |                                | never | -                | -

RTO    | SS |                                | =     | SYN again        | -             | rto=2000
RTO    | SR | passive; active                | =     | SYN,ACK again    | -             | rto=2000
RTO    | ES CW |                             | =     | data again       | -             | rto=400 cwnd=1.0mss
RTO    | F1 CG LA |                          | =     | FIN again        | -             | rto=400 cwnd=1.0mss
RTO    | F1 CG LA | text                     | =     | data,FIN again   | -             | rto=400 cwnd=1.0mss
RTO    | F2 TW |                             | never | -                | -

R2     | SS |                                | CL    | -                | ETIMEDOUT
R2     | SR | passive                        | LI    | -                | -
R2     | SR | active                         | CL    | -                | ETIMEDOUT
R2     | ES F1 CW CG LA |                    | CL    | -                | ETIMEDOUT
R2     | ES F1 CW CG LA | soft               | CL    | -                | EHOSTUNREACH
R2     | F1 CG LA | orphan                   | CL    | -                | -
R2     | F2 TW |                             | never | -                | -

PERSIST | SS |                               | never | -                | -
PERSIST | SR | passive; active               | never | -                | -
PERSIST | ES CW | queued shut-wnd            | =     | probe            | -
PERSIST | F1 CG LA | shut-wnd; queued shut-wnd | =  | probe            | -
PERSIST | F1 | orphan shut-wnd; orphan queued shut-wnd | CL | -         | -
PERSIST | F2 TW |                            | never | -                | -

KEEP   | SS |                                | never | -                | -
KEEP   | SR | passive; active                | never | -                | -
KEEP   | ES F2 CW | idle keep-alive          | =     | probe            | -
KEEP   | ES F2 CW | off                      | never | -                | -
KEEP   | ES CW | busy                        | never | -                | -
KEEP   | F1 CG LA TW |                       | never | -                | -

KEEPX  | SS |                                | never | -                | -
KEEPX  | SR | passive; active                | never | -                | -
KEEPX  | ES F2 CW | idle keep-alive          | CL    | RST(n)           | ETIMEDOUT
KEEPX  | F1 |                                | never | -                | -             |       | own
KEEPX  | CG LA TW |                          | never | -                | -

2MSL   | SS ES F1 F2 CW CG LA |              | never | -                | -
2MSL   | SR | passive; active                | never | -                | -
2MSL   | TW |                                | CL    | -                | -

FW2    | SS ES F1 F2 CW CG LA TW |           | never | -                | -
FW2    | SR | passive; active                | never | -                | -
FW2    | F2 | orphan                         | CL    | -                | -

# ICMP.

IHARD ISOFT IPTB | CL | nobody; ended        | =     | -                | -
IHARD ISOFT IPTB | LI |                      | =     | -                | -
IHARD  | LI | half                           | =     | -                | -             | queue=0
ISOFT IPTB | LI | half                       | =     | -                | -             | queue=1
IHARD  | SS |                                | CL    | -                | ECONNREFUSED
IHARD  | SS | protocol                       | CL    | -                | ENOPROTOOPT
ISOFT  | SS |                                | CL    | -                | EHOSTUNREACH  |       | DIS-4
ISOFT  | SS | net                            | CL    | -                | ENETUNREACH   |       | DIS-4
IPTB   | SS |                                | =     | -                | -             | mtu=1000
IHARD  | SR | passive                        | LI    | -                | -
IHARD  | SR | active                         | CL    | -                | ECONNREFUSED
IHARD  | SR | active protocol                | CL    | -                | ENOPROTOOPT
ISOFT  | SR | passive                        | =     | -                | -
ISOFT  | SR | active                         | =     | -                | -             | soft=EHOSTUNREACH
IPTB   | SR | passive                        | =     | -                | -
IPTB   | SR | active                         | =     | -                | -             | mtu=1000
IHARD  | ES F1 CW CG LA |                    | =     | -                | -             | soft=ECONNREFUSED | DIS-5
ISOFT  | ES F1 CW CG LA |                    | =     | -                | -             | soft=EHOSTUNREACH
IHARD ISOFT | F2 |                           | =     | -                | -             | soft=none
IHARD ISOFT | TW |                           | =     | -                | -             | soft=none
IPTB   | ES CW |                             | =     | data again data again | -        | mtu=1000 cwnd=kept
IPTB   | F1 CG LA |                          | =     | FIN again        | -             | mtu=1000 cwnd=kept
IPTB   | F1 CG LA | text                     | =     | data,FIN again   | -             | mtu=1000 cwnd=kept
IPTB   | F2 TW |                             | =     | -                | -             | mtu=1500
`
