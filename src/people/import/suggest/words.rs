//! What the words of a header say a column is.

use unicode_normalization::UnicodeNormalization;

use super::super::cell::amount::Unit;

/// What a header says that its column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Numbers of the rows, which start anew in the next file.
    RowNumber,
    /// A record's id.
    Id,
    /// A number of something: of the record if no other row has it, of the person if several have.
    Code,
    /// A person's number.
    Number,
    Email,
    Login,
    Name,
    FirstName,
    LastName,
    IdCard,
    Phone,
    /// Who is credited by a transfer.
    Payee,
    Station,
    Project,
    /// For whom: mostly the organisation itself.
    Client,
    Date,
    Start,
    End,
    /// A time of service: a span, a start, or how long.
    Time,
    Duration,
    Break,
    Offset,
    Category,
    Content,
    Operation,
    Status,
    /// Known to be nothing that an import reads.
    Other,
}

/// What a header says, and how plainly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    pub(super) role: Role,
    /// The word is all of the header.
    pub(super) is_whole: bool,
    /// It is something planned, a sum, or when the row was written: taken only where there is nothing else.
    pub(super) is_weak: bool,
    pub(super) unit: Option<Unit>,
}

/// Words by role, parted by bars; the longest one that a header has decides. Latin words are without accents.
const WORDS: [(Role, &str); 27] = [
    (
        Role::RowNumber,
        "序号|行号|順序|项次|項次|row|row number|row no|line|lfd nr|laufende nummer|#|s no|sl no|sr no|\
         serial no",
    ),
    (
        Role::Id,
        "id|uuid|guid|记录编号|紀錄編號|服务记录编号|记录号|流水号|流水號|record|record id|record number|\
         entry id|transaction id|timesheet id|log id|activity id|shift id|entry number|classification id|\
         datensatz|eintragsnummer|belegnummer|external id|序號|单号|單號|key|identifiant|identificador|seq",
    ),
    (Role::Code, "编号|編號|代码|no|nr|number|nummer|numero|num|code|n°|番号|번호"),
    (
        Role::Number,
        "志愿者编号|志愿者号|志工編號|志願者編號|会员编号|會員編號|会员号|學號|学号|工号|人员编号|义工编号|\
         義工編號|義工號|注册编号|证书编号|member no|member number|member id|membership number|volunteer id|\
         volunteer number|volunteer no|person id|person number|user id|contact id|contact|employee id|\
         staff number|staff no|badge|mitgliedsnummer|mitglieds nr|mitgliedsnr|mitglied nr|personalnummer|\
         personal nr|numero de membre|numero d adherent|numero de socio|socio|matricule|numero membro|\
         numero tessera|lidnummer|会員番号|회원번호|member uid|participant id|helfernummer",
    ),
    (Role::Email, "email|e mail|mail|电子邮箱|邮箱|電子郵件|email address|courriel|correo|correo electronico"),
    (Role::Login, "login|username|user name|account|账号|帳號|用户名|benutzer|benutzername|utilisateur|usuario"),
    (
        Role::Name,
        "姓名|名字|志愿者|志愿者姓名|志工|志工姓名|義工|义工|会员|人员|服务人员|name|full name|fullname|\
         volunteer|volunteer name|member|member name|person|people|helper|user|employee|participant|\
         mitarbeiter|freiwillige|freiwilliger|ehrenamtliche|helfer|helferin|nom|benevole|nombre|voluntario|\
         voluntaria|nome|volontario|naam|vrijwilliger|氏名|이름|who|nom complet|nombre completo|名前|\
         imie i nazwisko|jmeno|frivillig|namn",
    ),
    (Role::FirstName, "first name|firstname|given name|vorname|prenom|nombre de pila|名"),
    (
        Role::LastName,
        "last name|lastname|surname|family name|nachname|familienname|nom de famille|apellido|apellidos|\
         cognome|姓|achternaam",
    ),
    (
        Role::IdCard,
        "身份证|身份证号|身份证号码|证件号|证件号码|身分證|身分證字號|id card|identity card|passport|ausweis|\
         ausweisnummer|dni|nie|ssn|national id|护照",
    ),
    (
        Role::Phone,
        "电话|手机|手机号|手机号码|联系电话|联系方式|電話|手機|phone|mobile|telephone|cell phone|telefon|\
         telefonnummer|handy|mobil|telefono|tel",
    ),
    (
        Role::Payee,
        "payee|payee code|destino|destination|desti|收款人|receiver|recipient|provider|受款|empfanger|提供者|\
         服务提供者|beneficiario",
    ),
    (
        Role::Station,
        "站点|地点|活动地点|服务地点|地點|服务站|服务站点|志愿服务站|所属团体|团体|志愿团体|所属组织|组织|所属站点|单位|服务单位|\
         運用單位|服務單位|服务点|网点|社区|机构|station|site|location|venue|place|branch|team|organisation|\
         organization|chapter|agency|standort|einsatzort|einsatzstelle|stelle|ort|lieu|antenne|association|\
         lugar|centro|entidad|sede|luogo|locatie",
    ),
    (
        Role::Project,
        "项目名称|專案|project|projekt|projet|proyecto|progetto|event|event name|活动名称|活动|job|shift|\
         shift name|einsatz",
    ),
    (Role::Client, "client|kunde|customer|cliente|客户|客戶"),
    (
        Role::Date,
        "日期|服务日期|服務日期|活动日期|活動日期|date|day|service date|event date|activity date|\
         date of service|work date|shift date|datum|tag|einsatztag|jour|fecha|data|giorno|dia|dato|日付|날짜|\
         date worked|when|spent date|created|created at|date of creation|entered|entered at|timestamp",
    ),
    (
        Role::Start,
        "开始|开始时间|開始|開始時間|签到|签到时间|上岗时间|起始时间|起始|服務日期起|服务开始时间|开始日期|\
         服务开始|起|簽到|簽到時間|start|start time|start date|started|started at|begin|beginning|from|\
         time in|clock in|check in|in|sign in|started at client|beginn|von|anfang|startzeit|debut|\
         heure de debut|de|inicio|hora de inicio|desde|inizio|dalle|start datum|arrival|entrada|ankunft",
    ),
    (
        Role::End,
        "结束|结束时间|結束|結束時間|签退|签退时间|签出|离岗时间|截止时间|终止时间|服務日期訖|服务结束时间|\
         结束日期|服务结束|訖|迄|簽退|簽退時間|end|end time|end date|ended|ended at|finish|finished|\
         finished at|to|until|time out|clock out|check out|out|sign out|ende|bis|endzeit|fin|heure de fin|a|\
         hora de fin|hasta|fine|alle|finished at client|stop|departure|salida",
    ),
    (
        Role::Time,
        "服务时间|服務時間|时间|時間|时间段|时段|時段|活动时间|起止时间|time|times|zeit|uhrzeit|horaire|\
         heure|hora|horario|ora|period|time of service|zeitraum",
    ),
    (
        Role::Duration,
        "时长|服务时长|時長|服務時長|时数|時數|服务时数|服務時數|小时|小時|小时数|工时|分钟|分鐘|分钟数|\
         志愿时长|信用时数|duration|hours|hour|hrs|h|hours worked|volunteer hours|service hours|time spent|\
         length|minutes|mins|min|seconds|secs|time worked|dauer|stunden|std|einsatzstunden|minuten|sekunden|\
         duree|heures|horas|duracion|minutos|cantidad|quantitat|durata|ore|minuti|uren|amount|quantity|\
         hours logged|logged hours|timmar|timer|hodiny|godziny|天数",
    ),
    (Role::Break, "休息|休息时间|休息时长|break|breaks|break minutes|lunch break|pause|pausen|descanso|pausa"),
    (
        Role::Offset,
        "时区|時區|offset|utc offset|timezone|time zone|tz|zeitzone|fuseau|fuseau horaire|zona horaria|\
         utc offset s|timezone offset",
    ),
    (
        Role::Category,
        "类别|類別|服务类别|服務類別|类型|類型|服务类型|服务领域|分类|category|type|kind|service type|\
         activity type|kategorie|categorie|categoria|art|typ|tipo|bereich|event type",
    ),
    (
        Role::Content,
        "服务内容|服務內容|内容|內容|服务项目|服務項目|项目|項目|岗位|工作内容|事项|activity|activities|task|\
         service|work|role|tatigkeit|aufgabe|leistung|dienst|activite|tache|mission|actividad|tarea|attivita|\
         anuncio|anunci|description|beschreibung|descripcion|content|what|volunteer job",
    ),
    (Role::Operation, "匯入動作|导入动作|操作|动作|動作|op|operation|action|aktion"),
    (
        Role::Status,
        "状态|是否审核|是否有效|是否通过|狀態|审核状态|審核狀態|记录状态|status|state|zustand|statut|etat|estado|stato|approved|\
         approval|genehmigt|审核结果",
    ),
    (
        Role::Other,
        "备注|備註|录入方式|录入人|录入时间方式|notes|note|remark|remarks|comment|comments|bemerkung|\
         bemerkungen|anmerkung|notiz|remarque|observaciones|tags|tag list|group|groups|skills|服务对象|\
         受服务人次|经办人|负责人|审核人|attended|demand|created at server|project code|postcode|version|\
         workflow version|payer|payer id|payer code|payee id|origen|session|source commit|changed fields|\
         地址|address|kundennummer|projektnummer|number of volunteers|roles|session id",
    ),
];

/// What makes a column nothing to an import, whatever else its header says.
const NEVER: &str = "出生|生日|birth|birthday|dob|geburt|geburtstag|geburtsdatum|naissance|nacimiento|price|preis|prix|\
    precio|cost|rate|stundensatz|eur|usd|gbp|billable|invoice|invoiced|currency|金额|金額|交通费|交通費|\
    餐費|餐费|人次|人数|人數|注册日期|注册时间|入会|加入日期|registered|registration|eintritt|updated|\
    modified|更新|修改时间|年龄|性别|hash|umsatzsteuer|festpreis";

/// What makes a column the second choice.
const WEAK: &str = "planned|timestamp|plan|scheduled|expected|booked|计划|計劃|预计|預計|预约|預約|geplant|soll|prevu|previsto|\
    total|sum|累计|累計|总|總|合计|gesamt|created|creation|entered|submitted|published|录入|創建|创建|\
    提交|申请|审核|登记|登記|填报|填報|erfasst|erstellt|amount|server|balance|\
    老人|长者|長者|受助|被服务|服务对象|服務對象|家属|家長|家长|督导|督導|负责人|審核|组长|领队|联系人|supervisor|coordinator|\
    manager|parent|guardian|beneficiary|client|elder|served|recipient|emergency|approved|betreut|vorgesetzte";

const HOURS: &str = "小时|小時|工时|hours|hour|hrs|h|decimal|stunden|std|heures|horas|ore|uren|hodiny|godziny";
const MINUTES: &str = "分钟|分鐘|minutes|mins|min|minuten|minutos|minuti";
const SECONDS: &str = "秒|seconds|secs|sekunden|secondes|segundos";

/// Lower case without accents and signs, words with a blank between, a name in camel case parted too.
pub(super) fn normal(header: &str) -> String {
    let mut text = String::with_capacity(header.len());
    let mut was_lower = false;
    for letter in header.chars().take(200).collect::<String>().nfkd() {
        if ('\u{300}'..='\u{36f}').contains(&letter) {
            continue;
        }
        if was_lower && letter.is_uppercase() {
            text.push(' ');
        }
        was_lower = letter.is_lowercase();
        if letter.is_alphanumeric() || letter == '#' { text.extend(letter.to_lowercase()) } else { text.push(' ') }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a normalised text has a word: Chinese anywhere, others as whole words, long ones in compounds too.
pub(super) fn has(text: &str, word: &str) -> bool {
    if !word.is_ascii() {
        return text.contains(word);
    }
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        let behind = text.get(at + word.len()..).and_then(|tail| tail.chars().next());
        let is_edge = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_ascii_alphanumeric());
        let compound = word.len() >= 6 && (is_edge(before) || is_edge(behind));
        (is_edge(before) && is_edge(behind)) || compound
    })
}

/// How much a word says: a Chinese sign about as much as three letters.
fn weight(word: &str) -> usize {
    word.chars().map(|letter| if letter.is_ascii() { 1 } else { 3 }).sum()
}

/// What a header says, if it says anything.
pub(super) fn said(header: &str) -> Option<Said> {
    let text = normal(header);
    // A programs' namespace, as Salesforce puts in front, says nothing of the column.
    let text = text.strip_prefix("gw volunteers ").unwrap_or(&text);
    let text = text.strip_suffix(" c").unwrap_or(text);
    let any = |words: &str| words.split('|').any(|word| has(text, word));
    let mut best: Option<(usize, Role, bool)> = None;
    for (role, words) in WORDS {
        for word in words.split('|').filter(|word| has(text, word)) {
            let whole = word == text;
            // `to` and `in` are everywhere; alone, they are a column's name.
            if !whole && word.len() <= 2 && !["id", "no", "nr"].contains(&word) {
                continue;
            }
            let score = weight(word) + if whole { 100 } else { 0 };
            if best.is_none_or(|(found, _, _)| score > found) {
                best = Some((score, role, whole));
            }
        }
    }
    let is_never = any(NEVER);
    let unit = match () {
        () if any(MINUTES) => Some(Unit::Minutes),
        () if any(SECONDS) => Some(Unit::Seconds),
        () if any(HOURS) => Some(Unit::Hours),
        () => None,
    };
    let is_weak = any(WEAK);
    let (_, role, is_whole) = best.or_else(|| (is_never || is_weak).then_some((0, Role::Other, false)))?;
    let role = if is_never { Role::Other } else { role };
    let is_weak = is_weak && role != Role::Status;
    Some(Said { role, is_whole, is_weak, unit })
}

/// Words that begin a row of sums, or what stands below a table.
pub(super) const TOTALS: &str = "合计|小计|总计|合計|小計|總計|总和|累计|本页合计|total|totals|subtotal|sub-total|grand total|sum|\
    sums|summe|gesamt|gesamtsumme|zwischensumme|insgesamt|somme|total general|sous-total|suma|totale|\
    totaal|以下空白|填表人|填报人|制表人|制表|审核人|负责人|签字|签名|經辦|经办人|承辦人|注：|备注：|\
    signature";

/// Signs that only traditional Chinese has, of words that such files use.
const TRADITIONAL: &str = "務時數號證動區備註項單員點間開結訖誤參與義會願團";

/// Whether a text is Chinese, and whether traditional.
pub(super) fn chinese(text: &str) -> Option<bool> {
    let is_han = |letter: char| ('\u{4e00}'..='\u{9fff}').contains(&letter);
    let is_kana = |letter: char| ('\u{3040}'..='\u{30ff}').contains(&letter);
    (text.contains(is_han) && !text.contains(is_kana)).then(|| text.contains(|letter| TRADITIONAL.contains(letter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_say_what_columns_are() {
        let check = |header: &str, role: Role, is_weak: bool| {
            assert_eq!(said(header).map(|said| (said.role, said.is_weak)), Some((role, is_weak)), "{header}");
        };
        check("志愿者编号", Role::Number, false);
        check("志愿者姓名", Role::Name, false);
        check("服务时长(小时)", Role::Duration, false);
        check("录入时间", Role::Time, true);
        check("所属团体", Role::Station, false);
        check("Tätigkeit", Role::Content, false);
        check("Mitgliedsnummer", Role::Number, false);
        check("GW_VOLUNTEERS__PLANNED_START_DATE_TIME__C", Role::Start, true);
        check("GW_VOLUNTEERS__HOURS_WORKED__C", Role::Duration, false);
        check("GW_VOLUNTEERS__TOTAL_HOURS_WORKED__C", Role::Duration, true);
        check("Amount (EUR)", Role::Other, true);
        check("Billable Rate (USD)", Role::Other, false);
        check("startTime", Role::Start, false);
        check("出生日期", Role::Other, false);
        check("身分證字號", Role::IdCard, false);
        check("服務日期起", Role::Start, false);
        check("payee.code", Role::Payee, false);
        check("Date of creation", Role::Date, true);
        check("created", Role::Date, true);
        check("published_at", Role::Other, true);
        assert!(said("zzz").is_none());
        assert_eq!(said("服務時數-分鐘").and_then(|said| said.unit), Some(Unit::Minutes));
    }
}
